"""What a detector sees on the photos of a catalog: computed once per photo and detector, kept by content.

A folder per detector (its file and settings) holds ``highest``, the highest score of every class; see
:mod:`tagger.data.by_content`.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.progress import track

from tagger.data.by_content import Column, Computed, by_content
from tagger.data.catalog import Catalog
from tagger.data.decoding import Framed, framed
from tagger.data.photo import BadPhoto, decoder
from tagger.tags.detector.mapping import ClassMap
from tagger.tags.detector.onnx_detector import OnnxDetector
from tagger.tags.detector.picture import Undistorted


@dataclass(frozen=True, eq=False)
class Detections:
    """What the detector saw on some photos of a catalog."""

    rows: NDArray[np.int64]
    """Their rows in the catalog, ascending, (photos,)."""
    highest: NDArray[np.float32]
    """Highest score of every class, (photos, classes)."""
    map: ClassMap
    """From classes to labels."""
    floor: float
    """Detections below it are none."""

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the highest score of every label on photos that were looked at, (photos, labels)."""
        return self.map.to_labels(self.highest[np.searchsorted(self.rows, rows)], floor=self.floor)


def fingerprint(model_sha256: str, framing: Undistorted) -> str:
    """Return sixteen hex digits of what decides what a detector sees: its file, the size of its pictures, the decoder.

    Example:
        >>> fingerprint("c0ffee", Undistorted(long_side=640)) == fingerprint("c0ffee", Undistorted(long_side=641))
        False
    """
    recipe = json.dumps(["highest score of every class", model_sha256, framing.long_side, decoder()])
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def highest_scores(
    detector: OnnxDetector,
    framing: Undistorted,
    catalog: Catalog,
    rows: NDArray[np.int64],
    *,
    folder: Path,
    workers: int,
) -> NDArray[np.float32]:
    """Return the highest score of every class on some photos, (photos, classes); what is not kept yet is computed.

    Args:
        detector: What looks at them.
        framing: How it sees them.
        catalog: The photos, with their ``photo_id``.
        rows: Rows of the catalog.
        folder: Where it is kept.
        workers: Processes that decode.

    Raises:
        BadPhoto: If a photo cannot be read; the others are kept.
    """
    ids = catalog.photos["photo_id"].combine_chunks().take(pa.array(rows, pa.int64()))

    def place(row: int) -> str:
        return catalog.place(int(rows[row]))

    def compute(places: NDArray[np.int64]) -> Computed:
        for photo in _watched([place(row) for row in places.tolist()], framing, workers=workers):
            if photo.pixels is None:
                raise BadPhoto(
                    f"{photo.photo}: {photo.error}; it was readable a moment ago: run again to have it left out"
                )
            yield [photo.sha256], detector.highest(photo.pixels)[None]

    home = folder / fingerprint(detector.sha256, framing)
    column = Column("highest", pa.float32(), len(detector.classes))
    return by_content(ids, compute, place=place, home=home, column=column).of(np.arange(len(rows)))


def _watched(photos: list[str], framing: Undistorted, *, workers: int) -> Iterator[Framed]:
    ready = framed(photos, framing, workers=workers, ahead=8 * max(1, workers), hashed=True)
    yield from track(ready, description="detections", total=len(photos))
