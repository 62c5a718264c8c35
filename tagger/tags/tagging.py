"""An album tagged from end to end."""

from collections.abc import Iterable, Iterator

from tagger.tags.looking import Looked, Pace, looked_at
from tagger.tags.runtime import Tagger
from tagger.tags.tag_file import TaggedPhoto


def tagged(
    photos: Iterable[str], tagger: Tagger, pace: Pace, *, language: str | None, scores: bool
) -> Iterator[list[TaggedPhoto]]:
    """Yield the photos with their tags, a batch at a time, in order; those that cannot be read with their error."""
    for looked in looked_at(photos, tagger, pace):
        yield _tagged(looked, tagger, language=language, scores=scores)


def _tagged(looked: Looked, tagger: Tagger, *, language: str | None, scores: bool) -> list[TaggedPhoto]:
    if not len(looked.pixels):
        return [TaggedPhoto(photo.photo, error=photo.error) for photo in looked.photos]
    found = tagger.run(looked.pixels, looked.detected)
    results = zip(tagger.tags_of(found, language=language), found.scores, strict=True)
    ids = [label.id for label in tagger.labels]
    photos = []
    for photo in looked.photos:
        if photo.pixels is None:
            photos.append(TaggedPhoto(photo.photo, error=photo.error))
            continue
        tags, row = next(results)
        photos.append(TaggedPhoto(photo.photo, tags, dict(zip(ids, row.tolist(), strict=True)) if scores else None))
    return photos
