"""Which photos of a source the catalog has already, and which photos of several sources are the same.

A photo is known by its source's key, else by its bytes, else by its look: what another source has re-encoded or
resized. Of photos that are the same the one that came first is the photo; the others are sightings of it.

A file that was changed since it was seen last is another photo from then on, under the same key; the earlier one is
listed no more. Verdicts of people go on to a file whose picture is the same,
as after its keywords were edited.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.assembly.gather import Gathered
from tagger.data.catalog.reading import codes, of_source
from tagger.data.catalog.sightings import listed, where_they_are
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.duplicates import SAME, as_rows, near_pairs, within
from tagger.data.sidecar_turn import count_turns
from tagger.data.storage import location

NOWHERE = -1
"""Row of a photo that cannot be read."""

Inspect = Callable[[str, pa.ChunkedArray], pa.Table]
"""``(root, paths) -> inspection.SCHEMA``."""


@dataclass(frozen=True)
class Recognised:
    """Where the photos of every source are in the catalog."""

    rows: dict[str, np.ndarray]
    """By source, the catalog row of every gathered photo, int64; ``NOWHERE`` where it cannot be read."""
    photos: pa.Table
    """The new photos: columns photo_id, source, path, width, height, split, look, and the source's group."""
    sightings: pa.Table
    """The new sightings."""
    same_bytes: dict[str, int]
    """By source, photos whose bytes the catalog had under another key."""
    same_look: list[tuple[str, str]]
    """Photos that became a sighting of another by their look: (source/path of it, of the one that it is)."""
    changed: list[str]
    """Files that are other photos than they were, as source/path."""
    renewed: np.ndarray
    """Of those whose picture is the same: row that the photo had, row that it has now; int64 (photos, 2)."""


def recognise(
    store: CatalogStore, gathered: Mapping[str, Gathered], roots: Mapping[str, str], inspect: Inspect
) -> Recognised:
    """Find every gathered photo in the catalog, or give it a row."""
    ids = [store.table("photos", ["photo_id"])["photo_id"].combine_chunks()]
    old = len(ids[0])
    earlier = _known(store, gathered)
    before = {
        name: _unchanged(name, store, gathered[name], earlier[name], root=roots[name], inspect=inspect)
        for name in gathered
    }
    rows, tables, same_bytes = {}, [], {}
    for name, source in gathered.items():
        rows[name] = before[name].copy()
        fresh = np.flatnonzero(rows[name] == NOWHERE)
        found = _described(name, source, fresh, roots[name], inspect)
        readable = np.flatnonzero(found["photo_id"].is_valid().to_numpy())
        found, fresh = found.take(pa.array(readable)), fresh[readable]
        place, new = _numbered(found["photo_id"].combine_chunks(), ids)
        rows[name][fresh] = place
        same_bytes[name] = len(found) - len(new)
        tables.append(found.take(pa.array(new)))
        ids.append(tables[-1]["photo_id"].combine_chunks())
    photos = pa.concat_tables(tables, promote_options="permissive") if tables else TABLES["photos"].empty_table()
    twin, same_look = _twins(store, photos)
    final = np.concatenate([np.arange(old), old + np.cumsum(twin == NOWHERE) - 1, [NOWHERE]])
    final[old:-1][twin != NOWHERE] = final[twin[twin != NOWHERE]]
    rows = {name: final[found] for name, found in rows.items()}
    is_changed = {name: (before[name] != earlier[name]) & (rows[name] != NOWHERE) for name in gathered}
    moved = [np.stack([earlier[name], rows[name]], axis=1)[is_changed[name]] for name in gathered]
    photos = photos.take(pa.array(np.flatnonzero(twin == NOWHERE)))
    sightings = [_sightings(store, name, gathered[name].photos, rows[name], before[name]) for name in gathered]
    return Recognised(
        rows,
        photos,
        pa.concat_tables([TABLES["sightings"].empty_table(), *sightings]).unify_dictionaries(),
        same_bytes,
        same_look,
        [
            f"{name}/{path}"
            for name, source in gathered.items()
            for path in source.photos["path"].filter(pa.array(is_changed[name])).to_pylist()
        ],
        _renewed(store, photos, np.concatenate([np.empty((0, 2), dtype=np.int64), *moved])),
    )


def _unchanged(
    name: str, store: CatalogStore, source: Gathered, rows: np.ndarray, *, root: str, inspect: Inspect
) -> np.ndarray:
    """Return the rows of photos that are what they were, ``NOWHERE`` for those whose file has other bytes now."""
    photos = where_they_are(store, store.table("photos", ["photo_id", "source", "path"]))
    known = np.flatnonzero(rows != NOWHERE)
    noted, paths = photos.take(pa.array(rows[known])), source.photos["path"].take(pa.array(known))
    # Of what another source or another key has as well, the photo's own file is looked at.
    own = pc.and_(pc.equal(noted["source"].cast(pa.string()), name), pc.equal(noted["path"], paths))
    own = pc.fill_null(own, False)
    known, noted, paths = known[own.to_numpy()], noted.filter(own), paths.filter(own)
    inspected = inspect(root, paths)
    _count_bad(inspected, source, root)
    now = pc.utf8_slice_codeunits(inspected["sha256"], 0, 32)
    # Null where it cannot be read now: nothing says that it is another one.
    other = pc.fill_null(pc.not_equal(now, noted["photo_id"]), False).to_numpy()
    result = rows.copy()
    result[known[other]] = NOWHERE
    return result


def _renewed(store: CatalogStore, photos: pa.Table, moved: np.ndarray) -> np.ndarray:
    """Return which photos, by the row they had and the row they have now, show the same picture."""
    if not len(moved):
        return moved
    looks = pa.concat_tables(
        [store.table("photos", ["look"]), photos.select(["look"]).cast(pa.schema([_PLAIN.field("look")]))]
    )
    pairs = as_rows(looks["look"].take(pa.array(moved.ravel())).to_pylist())
    return moved[within(pairs, np.arange(2 * len(moved)).reshape(-1, 2), distance=SAME)]


def _known(store: CatalogStore, gathered: Mapping[str, Gathered]) -> dict[str, np.ndarray]:
    """Return by source the row of every photo that it had before in the same place, ``NOWHERE`` for the others; int64.

    A key whose path is another one is looked at anew: it may be another photo.
    """
    sightings = listed(store)
    result = {}
    for name, source in gathered.items():
        own = of_source(sightings, name)
        place = places(source.photos["key"], own["key"].combine_chunks())
        photo = np.append(own["photo"].to_numpy().astype(np.int64), NOWHERE)[place]
        path = own["path"].take(pa.array(place, mask=place < 0))
        both_null = pc.and_(path.is_null(), source.photos["path"].is_null())
        stays = pc.or_(pc.fill_null(pc.equal(path, source.photos["path"]), False), both_null).to_numpy()
        result[name] = np.where(stays, photo, NOWHERE)
    return result


def places(keys: pa.Array | pa.ChunkedArray, among: pa.Array) -> np.ndarray:
    """Return where every key is among others, -1 if nowhere; int32.

    Example:
        >>> places(pa.array(["b", "c"]), pa.array(["a", "b"])).tolist()
        [1, -1]
    """
    found: np.ndarray = pc.fill_null(pc.index_in(keys, among), -1).to_numpy()
    return found


def places_in_any_form(keys: pa.Array, among: pa.Array) -> np.ndarray:
    """As `places`, and of keys that are nowhere the place of one that is in another normal form; int32.

    Example:
        >>> places_in_any_form(pa.array(["a", "e\u0301", "b"]), pa.array(["\u00e9", "a"])).tolist()
        [1, 0, -1]
    """
    exact = places(keys, among)
    if (exact >= 0).all():
        return exact
    normal, among_normal = (pc.utf8_normalize(words, form="NFC") for words in (keys, among))
    return np.where(exact >= 0, exact, places(normal, among_normal))


def _described(name: str, source: Gathered, fresh: np.ndarray, root: str, inspect: Inspect) -> pa.Table:
    """Return what is new about the fresh photos; ``photo_id`` is null where one cannot be read."""
    photos = source.photos.take(pa.array(fresh))
    with_file = np.flatnonzero(photos["path"].is_valid().to_numpy())
    inspected = inspect(root, photos["path"].take(pa.array(with_file)))
    _count_bad(inspected, source, root)
    readable = inspected.filter(pc.is_null(inspected["error"]))["path"]
    count_turns((location(root, path.as_py()) for path in readable), source.skipped)
    place = np.full(len(photos), -1)
    place[with_file] = np.arange(len(with_file))
    facts = inspected.take(pa.array(place, mask=place < 0))
    of_bytes = pc.utf8_slice_codeunits(facts["sha256"], 0, 32)
    of_key = _ids_of(name, photos["key"].filter(photos["path"].is_null()))
    return pa.table(
        {
            "photo_id": pc.replace_with_mask(
                of_bytes.combine_chunks(), photos["path"].is_null().combine_chunks(), of_key
            ),
            "source": pa.repeat(pa.scalar(name, pa.string()), len(photos)),
            "path": photos["path"],
            "width": facts["width"],
            "height": facts["height"],
            "split": photos["split"],
            "look": facts["look"],
            "source_group": pc.binary_join_element_wise(pa.scalar(name), photos["group"], "\0"),
        }
    )


def _count_bad(inspected: pa.Table, source: Gathered, root: str) -> None:
    for path, error in zip(
        *(inspected.filter(pc.is_valid(inspected["error"]))[name] for name in ("path", "error")), strict=True
    ):
        source.skipped.add_photo(location(root, path.as_py()), error.as_py())


def _ids_of(name: str, keys: pa.ChunkedArray, *, block: int = 1 << 16) -> pa.Array:
    """Return the ids of photos without a file: of the names of a source and a photo, 32 hex digits."""
    some = [keys.slice(start, block).to_pylist() for start in range(0, len(keys), block)]
    parts = [pa.array([hashlib.sha256(f"{name}\0{key}".encode()).hexdigest()[:32] for key in part]) for part in some]
    return pa.concat_arrays([pa.array([], pa.string()), *parts])


def _numbered(ids: pa.Array, before: list[pa.Array]) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of every id, old or new, and which of them are new, each once."""
    known = pa.concat_arrays(before)
    place = places(ids, known).astype(np.int64)
    unknown = np.flatnonzero(place < 0)
    some = ids.take(pa.array(unknown)).dictionary_encode()
    place[unknown] = len(known) + some.indices.to_numpy()
    return place, unknown[_first_of_each(some.indices.to_numpy())]


def _first_of_each(number: np.ndarray) -> np.ndarray:
    """Return where each number comes first; numbers are given in the order of their first appearance."""
    return np.flatnonzero(np.diff(np.maximum.accumulate(number), prepend=-1))


def _twins(store: CatalogStore, photos: pa.Table) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Return for every new photo the row of the earlier one of another source that looks the same, or ``NOWHERE``."""
    twin = np.full(len(photos), NOWHERE, dtype=np.int64)
    if photos["look"].null_count == len(photos):
        return twin, []
    old = store.table("photos", _PLAIN.names)
    both = pa.concat_tables([old.cast(_PLAIN), photos.select(_PLAIN.names).cast(_PLAIN)])
    with_look = np.flatnonzero(both["look"].is_valid().to_numpy())
    pairs = with_look[near_pairs(as_rows(both["look"].take(pa.array(with_look)).to_pylist()), distance=SAME)]
    _, source = codes(both["source"])
    pairs = np.sort(pairs, axis=1)
    pairs = pairs[(pairs[:, 1] >= len(old)) & (source[pairs[:, 0]] != source[pairs[:, 1]])]
    # The earliest wins; a photo that is itself a twin hands on whose it is.
    for earlier, later in pairs[np.lexsort((-pairs[:, 0], pairs[:, 1]))].tolist():
        known = twin[earlier - len(old)] if earlier >= len(old) else NOWHERE
        twin[later - len(old)] = known if known != NOWHERE else earlier

    def named(row: int) -> str:
        return f"{both['source'][row].as_py()}/{both['path'][row].as_py()}"

    return twin, [(named(len(old) + row), named(int(twin[row]))) for row in np.flatnonzero(twin != NOWHERE).tolist()]


_PLAIN = pa.schema({"source": pa.string(), "path": pa.string(), "look": pa.binary()})


def _sightings(store: CatalogStore, name: str, photos: pa.Table, rows: np.ndarray, before: np.ndarray) -> pa.Table:
    """Return the sightings that are new; before those of keys that moved to another path that they left the old one."""
    new = np.flatnonzero((rows != NOWHERE) & (before == NOWHERE))
    new_photos = photos.take(pa.array(new))
    moved = new_photos["key"].filter(
        pc.is_in(new_photos["key"], of_source(listed(store), name)["key"].combine_chunks())
    )
    return pa.concat_tables(
        [no_longer(name, moved), _rows(name, pa.array(rows[new], pa.int32()), new_photos["key"], new_photos["path"])]
    )


def no_longer(name: str, keys: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the sightings that say that a source has these keys no more."""
    return _rows(name, pa.nulls(len(keys), pa.int32()), keys, pa.nulls(len(keys), pa.string()))


def _rows(name: str, photo: pa.Array, key: Any, path: Any) -> pa.Table:
    columns = {"photo": photo, "source": pa.repeat(pa.scalar(name, pa.string()), len(photo)), "key": key, "path": path}
    return pa.table(columns).cast(TABLES["sightings"])
