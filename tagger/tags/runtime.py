"""Tag photos with a bundle: onnxruntime, Pillow and numpy are all it takes.

    from tagger import Tagger

    for tags in Tagger.load("album.tagger").tag(["beach.jpg", "dog.heic"]):
        print([tag.name for tag in tags])

Nothing in here, and nothing that it imports, needs torch. The pixels are those of training
(:mod:`tagger.data.framing`); network, sigmoid and thresholds are in the bundle's graph.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tagger.data.framing import StillFraming
from tagger.data.photo import MAX_PIXELS, PhotoFile
from tagger.errors import UserError
from tagger.tags.delivery.bundle import BundleError, read_bundle
from tagger.tags.delivery.manifest import Manifest
from tagger.tags.detector.detecting import Detecting
from tagger.tags.detector.onnx_detector import DetectorError
from tagger.tags.profiles.completion import Completion
from tagger.tags.profiles.profile import Profile
from tagger.tags.session import Session, open_session

Pixels = NDArray[np.uint8]
"""Framed photos, (photos, size, size, 3)."""

DETECTOR = -1
"""The origin of scores that are the detector's."""

MAX_SIZE = 4096
"""Largest side of the square that a bundle may ask for: a photo is then 48 MiB."""


Origin = Literal["network", "rule", "detector"]


@dataclass(frozen=True)
class Tag:
    """A label that was given to a photo."""

    label: str
    """The label's id."""
    name: str
    """Its name in the language that was asked for."""
    score: float
    """0..1, at least the label's threshold."""
    origin: Origin = "network"
    """What gave the score: the network, a rule, or the detector."""
    because: str = ""
    """The reason in words: "follows from forest, scored 0.83"."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What the graph says of photos."""

    scores: NDArray[np.float32]
    """0..1, (photos, labels)."""
    tags: NDArray[np.bool_]
    """Which labels are given, (photos, labels)."""
    origins: NDArray[np.int64]
    """Column of the label that each score follows from, (photos, labels): its own where the network says so, −1 where
    the detector does."""
    detected: NDArray[np.float32]
    """Highest detection score of every label, (photos, labels), 0 where there is none."""


class Tagger:
    """A bundle that is ready to tag; make it with :meth:`load`.

    Args:
        manifest: Labels, thresholds and preprocessing.
        model: The ONNX graph.
        detector: The detector's ONNX graph, if the manifest speaks of one.
        profile: What a customer wants of the bundle.
        thresholds: Thresholds instead of the bundle's and the profile's, by label id.
        threads: Threads of the network; None takes as many as there are cores.

    Raises:
        UserError: If onnxruntime is missing, or a threshold is out of range or of no label.
        BundleError: If the graph cannot be run or does not fit the manifest.
    """

    def __init__(
        self,
        manifest: Manifest,
        model: bytes,
        *,
        detector: bytes | None = None,
        profile: Profile | None = None,
        thresholds: Mapping[str, float] | None = None,
        threads: int | None = None,
    ) -> None:
        self.threads = threads
        self.profile = profile or Profile()
        self.manifest = self.profile.applied(manifest)
        self.labels = self.manifest.labels
        self.language = self.profile.language or "en"
        self.framing = framing(manifest)
        self.thresholds = chosen_thresholds(self.manifest, thresholds or {})
        # Without any the relations of the graph are enough.
        added = self.profile.relations
        self.completion = Completion([label.id for label in self.labels], self.manifest.relations) if added else None
        self.session = open_graph(model, threads=threads)
        self.detecting = open_detector(self.manifest, detector, threads=threads)
        self._check_graph()

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        profile: Profile | str | Path | None = None,
        thresholds: Mapping[str, float] | None = None,
        threads: int | None = None,
    ) -> "Tagger":
        """Read a bundle, check it, and get ready to tag.

        Args:
            path: The bundle.
            profile: What a customer wants of it, or the YAML file that says so.
            thresholds: Thresholds instead of the bundle's and the profile's, by label id.
            threads: Threads of the network; None takes as many as there are cores.

        Raises:
            BundleError: If it is damaged, hostile, no bundle, or newer than this version understands.
            ProfileError: If the profile does not fit it.
        """
        bundle = read_bundle(Path(path).expanduser())
        wanted = profile if isinstance(profile, Profile | None) else Profile.read(profile)
        try:
            return cls(
                bundle.manifest,
                bundle.model,
                detector=bundle.detector,
                profile=wanted,
                thresholds=thresholds,
                threads=threads,
            )
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error

    def with_graph(self, model: bytes) -> "Tagger":
        """Return the same tagger with another graph for its network."""
        other = copy(self)
        other.session = open_graph(model, threads=self.threads)
        other._check_graph()
        return other

    def tag(self, photos: Iterable[PhotoFile], *, language: str | None = None, batch: int = 16) -> list[list[Tag]]:
        """Return the tags of every photo, the highest score first.

        Args:
            photos: Paths, URLs that fsspec knows, or open files.
            language: Of the names, None for the profile's or English; what has none in it is called by its English
                name, or by its id.
            batch: Photos that are in memory at a time.

        Raises:
            BadPhoto: If a photo cannot be read.
        """
        return [
            tags for some in batched(photos, batch) for tags in self.tags_of(self._looked_at(some), language=language)
        ]

    def scores(self, photos: Iterable[PhotoFile], *, batch: int = 16) -> NDArray[np.float32]:
        """Return the scores of all labels, (photos, labels)."""
        found = [self._looked_at(some).scores for some in batched(photos, batch)]
        return np.concatenate([np.empty((0, len(self.labels)), np.float32), *found])

    def pixels(self, photo: PhotoFile) -> Pixels:
        """Return what the graph sees of a photo, (size, size, 3).

        Raises:
            BadPhoto: If it cannot be read.
        """
        return np.asarray(self.framing.framed(photo))

    def beside(self, photo: PhotoFile) -> Pixels | None:
        """Return what the detector sees of a photo, (height, width, 3); None without one.

        Raises:
            BadPhoto: If it cannot be read.
        """
        return None if self.detecting is None else np.asarray(self.detecting.framing.framed(photo))

    def run(self, pixels: Pixels, detected: NDArray[np.float32] | None = None) -> Scored:
        """Return scores and tags of framed photos.

        Args:
            pixels: (photos, size, size, 3).
            detected: Highest detection score of every label, (photos, labels), as ``self.detecting`` gives them for
                photos; None: nothing is detected.

        Raises:
            BundleError: If the graph fails, takes too long, or gives what are no scores.
        """
        if detected is None:
            detected = np.zeros((len(pixels), len(self.labels)), np.float32)
        scores, origins = self._seen(pixels, detected)
        if self.completion:
            scores, origins = self.completion(scores, origins)
        return Scored(scores, self.given(scores), origins, detected)

    def _looked_at(self, photos: Sequence[PhotoFile]) -> Scored:
        pixels = np.stack([self.pixels(photo) for photo in photos])
        return self.run(pixels, self.detected([self.beside(photo) for photo in photos]))

    def _seen(self, pixels: Pixels, detected: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what the graph gives: scores and origins."""
        try:
            scores, _, *rest = self.session.run(None, self.inputs(pixels, detected), photos=len(pixels))
        except ValueError as error:
            raise BundleError(f"model.onnx does not run: {error}") from error
        # A graph of a bundle of version 1 has no relations.
        origins = rest[0] if rest else np.broadcast_to(np.arange(len(self.labels)), (len(pixels), len(self.labels)))
        _check_outputs(scores, origins, shape=(len(pixels), len(self.labels)))
        return scores, origins

    def inputs(self, pixels: Pixels, detected: NDArray[np.float32]) -> dict[str, Any]:
        """Return what the graph takes, by name."""
        return {"pixels": pixels} if self.detecting is None else {"pixels": pixels, "detected": detected}

    def detected(self, pictures: Sequence[Pixels | None]) -> NDArray[np.float32]:
        """Return the highest detection score of every label, (photos, labels).

        Args:
            pictures: Photos as ``self.detecting.framing`` makes them, of any size; not looked at without a detector.
        """
        if self.detecting is None:
            return np.zeros((len(pictures), len(self.labels)), np.float32)
        rows = [self.detecting.on(picture) for picture in pictures if picture is not None]
        return np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)

    def given(self, scores: NDArray[np.float32], thresholds: NDArray[np.float32] | None = None) -> NDArray[np.bool_]:
        """Return which labels are given to photos with these scores, (photos, labels).

        Args:
            scores: As :meth:`run` gives them, (photos, labels).
            thresholds: Of all labels, instead of the tagger's own, (labels,).
        """
        given = scores >= (self.thresholds if thresholds is None else thresholds)
        most = self.profile.tags_per_photo
        if most is None or most >= len(self.labels):
            return given
        ranked = np.argsort(np.where(given, -scores, np.inf), axis=1, kind="stable")
        best = np.zeros_like(given)
        np.put_along_axis(best, ranked[:, :most], True, axis=1)
        return given & best

    def tags_of(self, scored: Scored, *, language: str | None = None) -> Iterator[list[Tag]]:
        """Return the tags of every photo, the highest score first; equal ones in the order of the labels."""
        names = [label.name(language or self.language) for label in self.labels]
        for photo, (scores, given) in enumerate(zip(scored.scores, scored.tags, strict=True)):
            found = np.flatnonzero(given)
            best_first = found[np.argsort(-scores[found], kind="stable")].tolist()
            yield [self._tag(scored, photo, label, names) for label in best_first]

    def _tag(self, scored: Scored, photo: int, label: int, names: Sequence[str]) -> Tag:
        id_, scores = self.labels[label].id, scored.scores[photo]
        score, origin = float(scores[label]), int(scored.origins[photo, label])
        if origin == DETECTOR:
            detection = scored.detected[photo, label]
            return Tag(id_, names[label], score, "detector", f"{names[label]} detected, {detection:.2f}")
        if origin != label:
            return Tag(id_, names[label], score, "rule", f"follows from {names[origin]}, scored {scores[origin]:.2f}")
        return Tag(id_, names[label], score, "network", f"scored {score:.2f}, given from {self.thresholds[label]:.2f}")

    def _check_graph(self) -> None:
        """Refuse a graph whose labels are not those of the manifest, or that never ends: one black photo tells."""
        black = np.zeros((1, self.framing.size, self.framing.size, 3), np.uint8)
        self._seen(black, np.zeros((1, len(self.labels)), np.float32))


def _check_outputs(scores: Any, origins: Any, *, shape: tuple[int, int]) -> None:
    """Refuse what are no scores of the labels, or come from no label.

    Raises:
        BundleError: Says what they are.
    """
    for name, values, kind in (("scores", scores, np.float32), ("origins", origins, np.int64)):
        if not isinstance(values, np.ndarray) or values.dtype != kind:
            raise BundleError(f"model.onnx gives {name} of {getattr(values, 'dtype', type(values).__name__)}")
        if values.shape != shape:
            raise BundleError(
                f"model.onnx gives {name} of shape {values.shape}, the manifest has {shape[1]} labels, and there are "
                f"{shape[0]} photos"
            )
    if not scores.size:
        return
    # Written so that NaN is refused too.
    if not (scores.min() >= 0 and scores.max() <= 1):
        raise BundleError(f"model.onnx gives scores from {scores.min():.3g} to {scores.max():.3g}, not in [0, 1]")
    if origins.min() < DETECTOR or origins.max() >= shape[1]:
        raise BundleError(f"model.onnx says that scores come from labels {origins.min()} to {origins.max()}")


def framing(manifest: Manifest) -> StillFraming:
    """Return how a bundle makes photos square.

    Raises:
        BundleError: If its settings are none.
    """
    try:
        made = StillFraming(**manifest.preprocessing)
        if type(made.size) is not int or made.size > MAX_SIZE:
            raise ValueError(f"size must be a whole number and at most {MAX_SIZE}, got {made.size!r:.80}")
        if type(made.max_pixels) is not int or made.max_pixels > MAX_PIXELS:
            raise ValueError(f"max_pixels must be a whole number and at most {MAX_PIXELS}, got {made.max_pixels!r:.80}")
    except (TypeError, ValueError) as error:
        raise BundleError(f"manifest.json, preprocessing: {error}") from error
    return made


def open_detector(manifest: Manifest, model: bytes | None, *, threads: int | None) -> Detecting | None:
    """Return the detector that a manifest speaks of.

    Raises:
        BundleError: If there is none, or it is not what the manifest says.
    """
    if manifest.detector is None:
        return None
    if model is None:
        raise BundleError("manifest.json speaks of a detector, and there is none")
    try:
        return Detecting.from_recipe(manifest.detector, [label.id for label in manifest.labels], model, threads=threads)
    except (DetectorError, ValueError, KeyError) as error:
        raise BundleError(f"detector.onnx: {error}") from error


def chosen_thresholds(manifest: Manifest, chosen: Mapping[str, float]) -> NDArray[np.float32]:
    """Return the thresholds of all labels: the chosen ones, else the manifest's, float32 as those in the graph.

    Raises:
        UserError: If a label is not in the bundle, or a threshold not in [0, 2].
    """
    ids = {label.id for label in manifest.labels}
    for label, threshold in chosen.items():
        if label not in ids:
            raise UserError(f"thresholds: the bundle has no label {label!r}")
        if not 0 <= threshold <= 2:
            raise UserError(f"thresholds: that of {label!r} must lie in [0, 2], got {threshold}")
    return np.array([chosen.get(label.id, label.threshold) for label in manifest.labels], np.float32)


def open_graph(model: bytes, *, threads: int | None) -> Session:
    """Return a session of a bundle's graph.

    Raises:
        UserError: If onnxruntime is missing.
        BundleError: If the graph cannot be read.
    """
    try:
        return open_session(model, threads=threads)
    except ValueError as error:
        raise BundleError(f"model.onnx cannot be read: {error}") from error


def batched(photos: Iterable[PhotoFile], size: int) -> Iterator[Sequence[PhotoFile]]:
    """Return the photos, some at a time.

    Example:
        >>> list(batched(["a.jpg", "b.jpg", "c.jpg"], 2))
        [['a.jpg', 'b.jpg'], ['c.jpg']]
    """
    rest = iter(photos)
    while some := list(islice(rest, size)):
        yield some
