"""Which labels take the detector: those whose average precision on validation it raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tagger.data.states import PRESENT, Weighing, targets_and_weights, unknown_weights
from tagger.tags.detector.calibration import Observations, calibrate_all, held_out_ranks
from tagger.tags.detector.fusion import Calibration, Fusion, Way, evidence, log_odds
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision


@dataclass(frozen=True)
class Choosing:
    """How labels are chosen.

    Args:
        fusion: See `Fusion`.
        floor: Detections below it are none.
        least_photos: Labels with fewer validation photos decide together.
        least_gain: Gain of average precision that is needed.
        folds: Folds by which logistic calibrations are judged: never on photos that they were fitted on.
        strength: How strongly a label's calibration holds to the one that all labels share.

    Raises:
        ValueError: If a setting is outside its range.
    """

    fusion: Way = "logistic"
    floor: float = 0.05
    least_photos: int = 5
    least_gain: float = 0.005
    folds: int = 5
    strength: float = 10.0

    def __post_init__(self) -> None:
        Fusion((), self.fusion, floor=self.floor)
        for name, holds, expected in (
            ("least_photos", self.least_photos >= 1, "at least 1"),
            ("least_gain", -1 <= self.least_gain <= 1, "in [-1, 1]"),
            ("folds", self.folds >= 2, "at least 2"),
            ("strength", self.strength > 0, "above 0"),
        ):
            if not holds:
                raise ValueError(f"detector.{name} must be {expected}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Choice:
    """What validation says of one label that the detector has a class for, and what came of it on the test fold.

    Average precisions are of scores before relations. None where there is no answer.
    """

    label: str
    is_taken: bool
    """Whether the label takes the detector."""
    is_rare: bool
    """Whether it has so few validation photos that it decided together with the others of that kind."""
    val_photos: int
    """Validation photos that carry the label."""
    val_detected: int
    """Validation photos on which it was detected at all."""
    val_ap_without: float | None
    """Of the network's scores."""
    val_ap_with: float | None
    """Of the fused ones; with ``logistic``, each photo's by calibrations that have not seen it."""
    network: float
    """The calibration, as it is or would be used; 1, 0 and 0 for ways that need none."""
    detection: float
    shift: float
    test_photos: int | None = None
    test_ap_without: float | None = None
    test_ap_with: float | None = None
    """If the label takes the detector or if it did."""

    @property
    def calibration(self) -> Calibration:
        return Calibration(self.network, self.detection, self.shift)


@dataclass(frozen=True, eq=False)
class Seen:
    """Some photos as network and detector see the labels that the detector has a class for, and what is known."""

    scores: Tensor
    """Of the network, (photos, candidates)."""
    detected: Tensor
    """Highest detection scores, (photos, candidates)."""
    states: Tensor
    """PRESENT, ABSENT or UNKNOWN, (photos, candidates)."""
    kinds: Tensor
    """Kind of each photo, (photos,), or of each label on it, (photos, candidates)."""


def choose(
    labels: Sequence[str], photos: Seen, settings: Choosing, *, unknown: Weighing
) -> tuple[dict[str, Calibration], list[Choice]]:
    """Return the calibrations of the labels that gain by the detector, and what was found about each candidate.

    Args:
        labels: Ids of the candidates in column order.
        photos: The validation photos.
        settings: How to choose.
        unknown: What an unknown label counts for.

    Example:
        >>> photos = Seen(torch.tensor([[0.2], [0.3], [0.1]]), torch.tensor([[0.9], [0.0], [0.0]]),
        ...               torch.tensor([[1], [-1], [-1]]), torch.zeros(3, dtype=torch.long))
        >>> settings = Choosing(fusion="maximum", least_photos=1)
        >>> taken, (choice,) = choose(["bus"], photos, settings, unknown="ignore")
        >>> choice.val_ap_without, choice.val_ap_with, choice.is_taken
        (0.5, 1.0, True)
    """
    calibrations, judged = _calibrated(photos, settings, unknown=unknown)
    aps = [ap_of(scores, photos, unknown=unknown) for scores in (photos.scores, judged)]
    positives = (photos.states == PRESENT).sum(dim=0).tolist()
    counts = (photos.detected >= settings.floor).sum(dim=0).tolist()
    gains = [None if None in pair else pair[1] - pair[0] for pair in zip(*aps, strict=True)]
    found = zip(labels, _taken(gains, positives, settings), positives, counts, *aps, calibrations, strict=True)
    choices = [
        Choice(id_, is_taken, count < settings.least_photos, count, detected, without, fused, *calibration)
        for id_, is_taken, count, detected, without, fused, calibration in found
    ]
    return {choice.label: choice.calibration for choice in choices if choice.is_taken}, choices


def ap_of(scores: Tensor, photos: Seen, *, unknown: Weighing) -> list[float | None]:
    """Return the average precision that scores (photos, labels) have on photos; None where there is none."""
    histogram = Histogram.of(scores, photos.states, kinds=photos.kinds)
    if not isinstance(unknown, str | int | float):
        # Kinds of which there is no photo here have no plane in the histogram.
        unknown = unknown[: len(histogram.counts) - 2]
    ap = average_precision(histogram, unknown=unknown)
    return [value if known else None for value, known in zip(ap.values.tolist(), ap.counted.tolist(), strict=True)]


def _taken(gains: Sequence[float | None], positives: Sequence[int], settings: Choosing) -> list[bool]:
    """Return which labels take the detector.

    What a label with a handful of photos gains is chance. Those labels decide together: all of them take it if their
    average precision rises on average; also those without any photo, of which nothing else is known.
    """
    is_rare = [count < settings.least_photos for count in positives]
    known = [gain for gain, rare in zip(gains, is_rare, strict=True) if rare and gain is not None]
    photos = sum(count for count, rare in zip(positives, is_rare, strict=True) if rare)
    together = photos >= settings.least_photos and bool(known) and float(np.mean(known)) > settings.least_gain
    return [
        together if rare else gain is not None and gain > settings.least_gain
        for gain, rare in zip(gains, is_rare, strict=True)
    ]


def _calibrated(photos: Seen, settings: Choosing, *, unknown: Weighing) -> tuple[list[Calibration], Tensor]:
    """Return the calibration of every label, and scores by which their fusion is judged, (photos, labels)."""
    ids = [str(column) for column in range(photos.scores.shape[1])]
    if settings.fusion != "logistic":
        fusion = Fusion(ids, settings.fusion, dict.fromkeys(ids, Calibration()), floor=settings.floor)
        return [Calibration()] * len(ids), fusion(photos.scores, photos.detected)
    observations = _observations(photos, settings, unknown=unknown)
    judged = held_out_ranks(observations, strength=settings.strength, folds=settings.folds)
    return calibrate_all(observations, strength=settings.strength), torch.from_numpy(judged).sigmoid().float()


def _observations(photos: Seen, settings: Choosing, *, unknown: Weighing) -> Observations:
    kinds = len(unknown) if not isinstance(unknown, str | int | float) else 1 + int(photos.kinds.max())
    weights = torch.tensor(unknown_weights(unknown, kinds=kinds))[photos.kinds.long()]
    weights = weights if weights.ndim == 2 else weights[:, None]
    visible = torch.where(photos.detected >= settings.floor, photos.detected, 0.0).double()
    values = (
        log_odds(photos.scores.double()),
        evidence(visible, floor=settings.floor),
        *targets_and_weights(photos.states, unknown=weights),
    )
    return Observations(*(value.double().numpy() for value in values))


def measured(choices: list[Choice], photos: Seen, settings: Choosing, *, unknown: Weighing) -> list[Choice]:
    """Return the choices with the figures of other photos, the test fold's.

    Labels that do not take the detector are measured as if they did.
    """
    all_take = {choice.label: choice.calibration for choice in choices}
    fusion = Fusion([choice.label for choice in choices], settings.fusion, all_take, floor=settings.floor)
    fused = fusion(photos.scores, photos.detected)
    aps = [ap_of(scores, photos, unknown=unknown) for scores in (photos.scores, fused)]
    positives = (photos.states == PRESENT).sum(dim=0).tolist()
    return [
        replace(choice, test_photos=count, test_ap_without=without, test_ap_with=fused)
        for choice, count, without, fused in zip(choices, positives, *aps, strict=True)
    ]


def chosen_figures(choices: Sequence[Choice], unmapped: Mapping[str, int]) -> dict[str, float]:
    """Return the choice in a few numbers: candidates, labels that take it, and their mean AP with and without.

    Args:
        choices: What was found about every candidate.
        unmapped: The detector's classes that mean no label.

    Example:
        >>> chosen_figures([], {})
        {}
    """
    if not choices:
        return {}
    figures = {
        "detector/candidates": float(len(choices)),
        "detector/taken": float(sum(choice.is_taken for choice in choices)),
        "detector/classes_without_label": float(len(unmapped)),
    }
    for name in ("val_ap_without", "val_ap_with", "test_ap_without", "test_ap_with"):
        values = [getattr(choice, name) for choice in choices if choice.is_taken]
        known = [value for value in values if value is not None]
        if known:
            figures[f"detector/{name}"] = float(np.mean(known))
    return figures
