"""All that one source says, in two tables."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.reading import codes
from tagger.data.normal_form import all_as_on_disk
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Chunk, Skipped, Source
from tagger.data.storage import leaving


@dataclass(frozen=True)
class Gathered:
    """What one source says."""

    photos: pa.Table
    """Schema ``PHOTOS``, every key once."""
    annotations: pa.Table
    """Schema ``ANNOTATIONS``, texts as dictionaries and without ``line``."""
    skipped: Skipped
    declared: frozenset[str] | None = None
    """Names that it declares to have looked for; None: it declares none."""
    first: dict[str, str] = field(default_factory=dict)
    """Where each name stands first: file and line, or the photo."""


def gather(source: Source) -> Gathered:
    """Read a source to its end; photos that it lists again or that leave its root are counted and left out.

    Raises:
        SourceError: If the source cannot be read at all.
    """
    skipped = Skipped()
    gathered = collected(source.chunks(skipped), skipped)
    photos, place = gathered.photos, gathered.photos.schema.get_field_index("path")
    paths = all_as_on_disk(photos["path"], source.root or ".")
    return replace(gathered, photos=photos.set_column(place, photos.schema.field(place), paths))


def collected(chunks: Iterable[Chunk], skipped: Skipped) -> Gathered:
    """Return what some chunks say together; see `gather`."""
    photos, annotations = [PHOTOS.empty_table()], [_narrow(ANNOTATIONS.empty_table())]
    declared: frozenset[str] | None = None
    first: dict[str, str] = {}
    for chunk in chunks:
        photos.append(chunk.photos)
        annotations.append(_narrow(chunk.annotations))
        if chunk.declared is not None:
            declared = (declared or frozenset()) | {*chunk.declared}
        _note_first(chunk, annotations[-1]["name"], first)
    once = _once(pa.concat_tables(photos).combine_chunks(), skipped)
    skipped.of = len(once)
    listed = _inside(once, skipped)
    _count_rotations(listed, skipped)
    return Gathered(listed, pa.concat_tables(annotations).unify_dictionaries(), skipped, declared, first)


def _narrow(annotations: pa.Table) -> pa.Table:
    """Return annotations in a third of the memory: a photo's key follows itself, and names and origins are few."""
    words = {name: annotations[name].dictionary_encode() for name in ("key", "name", "origin")}
    return pa.table(words | {name: annotations[name] for name in ("value", "score")})


def _note_first(chunk: Chunk, names: pa.ChunkedArray, first: dict[str, str]) -> None:
    """Remember where names stand that did not before."""
    words, code = codes(names)
    new = [place for place, word in enumerate(words) if word not in first]
    if not new:
        return
    row = np.zeros(len(words), dtype=np.int64)
    row[code[::-1]] = np.arange(len(code))[::-1]
    for place in new:
        key, line = (chunk.annotations[name][int(row[place])].as_py() for name in ("key", "line"))
        first[str(words[place])] = f"{chunk.file}, line {line}" if chunk.file and line is not None else f"photo {key!r}"


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
        skipped.add_photo(path, "path leaves the source's root")
    return photos.filter(pc.invert(outside))


def _count_rotations(photos: pa.Table, skipped: Skipped) -> None:
    """Name photos that their source says must be turned, of which their EXIF knows nothing: no command turns them."""
    turned = photos.filter(pc.fill_null(pc.not_equal(photos["rotation"], 0), False))
    if len(turned):
        skipped.add(
            "rotation that its file does not know (EXIF), so that the photo is seen as it lies",
            turned["key"][0].as_py(),
            times=len(turned),
        )
