"""Photos looked at, a batch at a time: decoded ahead in processes of their own, objects detected in this one."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tagger.data.decoding import Framed, framed
from tagger.errors import UserError
from tagger.tags.runtime import Pixels, Tagger

MAX_BATCH = 1024


@dataclass(frozen=True)
class Pace:
    """How many processes decode, and how many photos the network sees at once."""

    workers: int
    batch: int


def pace(workers: int | None = None, batch: int | None = None) -> Pace:
    """Return the pace for this machine's cores where none was given.

    Raises:
        UserError: If one is out of range.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers is not None and not 0 <= workers <= 256:
        raise UserError(f"workers must lie in [0, 256], got {workers}")
    if batch is not None and not 1 <= batch <= MAX_BATCH:
        raise UserError(f"batch_size must lie in [1, {MAX_BATCH}], got {batch}")
    return Pace(cores if workers is None else workers, min(64, 8 * cores) if batch is None else batch)


@dataclass(frozen=True, eq=False)
class PixelBatch:
    """Some photos, and what is known of those of them that can be read."""

    photos: Sequence[Framed]
    pixels: Pixels
    """Of those that can be read, in their order; none if none can."""
    detected: NDArray[np.float32]
    """Highest detection score of every label, (readable photos, labels)."""

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Which photos can be read."""
        return np.array([photo.pixels is not None for photo in self.photos])


def pixel_batches(photos: Iterable[str], tagger: Tagger, pace: Pace, *, hashed: bool = False) -> Iterator[PixelBatch]:
    """Yield photos in their order, a batch at a time; no more are in memory than two batches."""
    beside = None if tagger.detecting is None else tagger.detecting.framing
    ready = framed(photos, tagger.framing, workers=pace.workers, ahead=2 * pace.batch, beside=beside, hashed=hashed)
    while batch := list(islice(ready, pace.batch)):
        yield _pixel_batch(batch, tagger)


def _pixel_batch(batch: Sequence[Framed], tagger: Tagger) -> PixelBatch:
    size, readable = tagger.framing.size, [photo for photo in batch if photo.pixels is not None]
    pixels = [photo.pixels for photo in readable if photo.pixels is not None]
    stacked = np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8)
    return PixelBatch(batch, stacked, tagger.detected([photo.beside for photo in readable]))
