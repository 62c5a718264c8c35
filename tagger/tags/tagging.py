"""An album tagged from end to end: photos decoded ahead in processes of their own, batches through the network."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tagger.data.decoding import Framed, framed
from tagger.errors import UserError
from tagger.tags.runtime import Tagger
from tagger.tags.tag_file import TaggedPhoto

MAX_BATCH = 1024


@dataclass(frozen=True)
class Pace:
    """How many processes decode, and how many photos the network sees at once."""

    workers: int
    batch: int


def pace(workers: int | None, batch: int | None) -> Pace:
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


def tagged(
    photos: Iterable[str], tagger: Tagger, pace: Pace, *, language: str | None, scores: bool
) -> Iterator[list[TaggedPhoto]]:
    """Yield the photos with their tags, a batch at a time, in order; those that cannot be read with their error.

    No more photos are in memory than two batches, however many there are.
    """
    ready = framed(photos, tagger.framing, workers=pace.workers, ahead=2 * pace.batch)
    while batch := list(islice(ready, pace.batch)):
        yield _tagged(batch, tagger, language=language, scores=scores)


def _tagged(batch: list[Framed], tagger: Tagger, *, language: str | None, scores: bool) -> list[TaggedPhoto]:
    pixels = [photo.pixels for photo in batch if photo.pixels is not None]
    if not pixels:
        return [TaggedPhoto(photo.photo, error=photo.error) for photo in batch]
    found = tagger.run(np.stack(pixels))
    results = zip(tagger.tags_of(found, language=language), found.scores, strict=True)
    ids = [label.id for label in tagger.labels]
    photos = []
    for photo in batch:
        if photo.pixels is None:
            photos.append(TaggedPhoto(photo.photo, error=photo.error))
            continue
        tags, row = next(results)
        photos.append(TaggedPhoto(photo.photo, tags, dict(zip(ids, row.tolist(), strict=True)) if scores else None))
    return photos
