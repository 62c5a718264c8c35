"""All that one source says, in two tables."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Skipped, Source
from tagger.data.storage import leaving


@dataclass(frozen=True)
class Gathered:
    """What one source says."""

    photos: pa.Table
    """Schema ``PHOTOS``, every key once."""
    annotations: pa.Table
    """Schema ``ANNOTATIONS``, texts as dictionaries and without ``line``."""
    skipped: Skipped


def gather(source: Source) -> Gathered:
    """Read a source to its end; photos that it lists again or that leave its root are counted and left out.

    Raises:
        SourceError: If the source cannot be read at all.
    """
    skipped = Skipped()
    photos, annotations = [PHOTOS.empty_table()], [_narrow(ANNOTATIONS.empty_table())]
    for chunk in source.chunks(skipped):
        photos.append(chunk.photos)
        annotations.append(_narrow(chunk.annotations))
    listed = _inside(_once(pa.concat_tables(photos).combine_chunks(), skipped), skipped)
    _count_rotations(listed, skipped)
    return Gathered(listed, pa.concat_tables(annotations).unify_dictionaries(), skipped)


def _narrow(annotations: pa.Table) -> pa.Table:
    """Return annotations in a third of the memory: a photo's key follows itself, and names and origins are few."""
    words = {name: annotations[name].dictionary_encode() for name in ("key", "name", "origin")}
    return pa.table(words | {name: annotations[name] for name in ("value", "score")})


def _once(photos: pa.Table, skipped: Skipped) -> pa.Table:
    distinct = pc.unique(photos["key"])
    if len(distinct) == len(photos):
        return photos
    first = pc.index_in(distinct, photos["key"].combine_chunks())
    again = np.setdiff1d(np.arange(len(photos)), first.to_numpy())
    for key in photos["key"].take(pa.array(again)).to_pylist():
        skipped.add("photo listed again", key)
    return photos.take(first)


def _inside(photos: pa.Table, skipped: Skipped) -> pa.Table:
    outside = pc.fill_null(leaving(photos["path"]), False)
    if not pc.any(outside).as_py():
        return photos
    for path in photos["path"].filter(outside).to_pylist():
        skipped.add("path leaves the source's root", path)
    return photos.filter(pc.invert(outside))


def _count_rotations(photos: pa.Table, skipped: Skipped) -> None:
    """Name photos that their source says must be turned: nothing does it yet, unless their own EXIF says so too."""
    turned = photos.filter(pc.fill_null(pc.not_equal(photos["rotation"], 0), False))
    if len(turned):
        skipped.add("rotation, which only a photo's own EXIF applies", turned["key"][0].as_py(), times=len(turned))
