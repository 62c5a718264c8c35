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
    """Schema ``ANNOTATIONS``."""
    skipped: Skipped


def gather(source: Source) -> Gathered:
    """Read a source to its end; photos that it lists again or that leave its root are counted and left out.

    Raises:
        SourceError: If the source cannot be read at all.
    """
    skipped = Skipped()
    chunks = list(source.chunks(skipped))
    photos = pa.concat_tables([PHOTOS.empty_table(), *(chunk.photos for chunk in chunks)]).combine_chunks()
    annotations = pa.concat_tables([ANNOTATIONS.empty_table(), *(chunk.annotations for chunk in chunks)])
    return Gathered(_inside(_once(photos, skipped), skipped), annotations.combine_chunks(), skipped)


def _once(photos: pa.Table, skipped: Skipped) -> pa.Table:
    first = pc.index_in(pc.unique(photos["key"]), photos["key"].combine_chunks())
    if len(first) == len(photos):
        return photos
    again = np.setdiff1d(np.arange(len(photos)), first.to_numpy())
    for key in photos["key"].take(pa.array(again)).to_pylist():
        skipped.add("photo listed again", key)
    return photos.take(first)


def _inside(photos: pa.Table, skipped: Skipped) -> pa.Table:
    outside = pc.fill_null(leaving(photos["path"]), False)
    for path in photos["path"].filter(outside).to_pylist():
        skipped.add("path leaves the source's root", path)
    return photos.filter(pc.invert(outside))
