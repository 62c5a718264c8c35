"""An album tagged from end to end."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tagger.tags.runtime import Tagger
from tagger.tags.tagging.near import floors, near_labels
from tagger.tags.tagging.pixel_batches import Pace, PixelBatch, pixel_batches
from tagger.tags.tagging.tag_file import TaggedPhoto


def tagged(
    photos: Iterable[str], tagger: Tagger, pace: Pace, *, language: str | None, scores: bool, near: bool = False
) -> Iterator[list[TaggedPhoto]]:
    """Yield the photos with their tags, a batch at a time, in order; those that cannot be read with their error.

    Args:
        photos: Paths or URLs.
        tagger: What tags them.
        pace: How many are decoded and tagged at once.
        language: Of the names; None for the profile's or English.
        scores: Whether to add the scores of all labels.
        near: Whether to add the scores of the labels that a photo nearly got.
    """
    near_from = floors(tagger) if near else None
    for looked in pixel_batches(photos, tagger, pace):
        yield _tagged(looked, tagger, language=language, scores=scores, near_from=near_from)


def _tagged(
    looked: PixelBatch, tagger: Tagger, *, language: str | None, scores: bool, near_from: NDArray[np.float64] | None
) -> list[TaggedPhoto]:
    if not len(looked.pixels):
        return [TaggedPhoto(photo.photo, error=photo.error) for photo in looked.photos]
    found = tagger.run(looked.pixels, looked.detected)
    results = zip(tagger.tags_of(found, language=language), found.scores, found.tags, strict=True)
    ids = [label.id for label in tagger.labels]
    photos = []
    for photo in looked.photos:
        if photo.pixels is None:
            photos.append(TaggedPhoto(photo.photo, error=photo.error))
            continue
        tags, row, given = next(results)
        close = [] if near_from is None else near_labels(row, given, near_from)
        photos.append(
            TaggedPhoto(
                photo.photo,
                tags,
                scores=dict(zip(ids, row.tolist(), strict=True)) if scores else None,
                near=None if near_from is None else {ids[label]: float(row[label]) for label in close},
            )
        )
    return photos
