"""What a bundle says of photos, of all its labels: computed once and kept by content, as logits."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.progress import track

from tagger.data.by_content import Column, Computed, Kept, by_content
from tagger.data.photo import BadPhoto, decoder
from tagger.data.skipped import Skipped
from tagger.tags.delivery.manifest import Manifest
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.pixel_batches import pace, pixel_batches

SUREST = 16.0
"""Logits are kept within ± this: float32 scores have no larger ones, and those of 0 and 1 are infinite."""


def kept_logits(
    tagger: Tagger,
    ids: pa.Array,
    place: Callable[[int], str],
    *,
    cache: Path,
    workers: int,
    skipped: Skipped | None = None,
) -> Kept:
    """Return the logits that a bundle gives photos, (photos, labels); what is not kept yet is computed.

    Args:
        tagger: The bundle.
        ids: Of each photo the hash of its content, 32 hex digits.
        place: Path or URL of a photo, by its place among ``ids``.
        cache: Folder for what can be computed again.
        workers: Processes that decode.
        skipped: Counts photos that cannot be read now, whose logits are NaN; None: there must be none.

    Raises:
        BadPhoto: If a photo cannot be read and ``skipped`` is None; what was computed before is kept.
    """
    wanted = pace(workers)

    def compute(photos: NDArray[np.int64]) -> Computed:
        batches = pixel_batches([place(photo) for photo in photos.tolist()], tagger, wanted, hashed=True)
        for some in track(batches, description="scores", total=-(-len(photos) // wanted.batch)):
            for photo in some.photos:
                if photo.pixels is None:
                    _leave_out(photo.photo, photo.error, skipped)
            logits = np.full((len(some.photos), len(tagger.labels)), np.nan, dtype=np.float16)
            if some.readable.any():
                logits[some.readable] = as_logits(tagger.run(some.pixels, some.detected).scores)
            yield [photo.sha256 for photo in some.photos], logits

    column = Column("logit", pa.float16(), len(tagger.labels))
    return by_content(ids, compute, place=place, home=cache / "scores" / fingerprint(tagger.manifest), column=column)


def _leave_out(photo: str, error: str, skipped: Skipped | None) -> None:
    if skipped is None:
        raise BadPhoto(f"{photo}: {error}; was it readable a moment ago? Run again, or repair it")
    skipped.add_photo(photo, error)


def as_logits(scores: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return logits within ± `SUREST`; as float16 they lie next to 0 and 1 a thousand times closer than scores would.

    Example:
        >>> as_logits(np.array([0.5, 0.9, 1.0], np.float32)).tolist()
        [0.0, 2.197265625, 16.0]
    """
    with np.errstate(divide="ignore"):
        logits = np.log(scores) - np.log1p(-scores)
    return np.clip(logits, -SUREST, SUREST).astype(np.float16)


def as_scores(logits: NDArray) -> NDArray[np.float32]:
    """Return the scores, 0..1, of kept logits; NaN stays NaN."""
    return np.reciprocal(1 + np.exp(-logits.astype(np.float32)))


def fingerprint(manifest: Manifest) -> str:
    """Return sixteen hex digits of what decides a bundle's scores: its files, how it sees photos, the decoder."""
    files = {name: sha256 for name, (_, sha256) in manifest.files.items() if name.endswith(".onnx")}
    recipe = json.dumps(["logits of every label", files, manifest.preprocessing, manifest.detector, decoder()])
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]
