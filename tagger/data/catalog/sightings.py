"""Where photos are seen: which of them only a search has, and what an unknown label of each weighs.

A source that lists a photo no more gets a row without a photo; of one source and key the last row holds. Such rows come
with the batch that withdraws what the source claimed, and are out of sight when it is undone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.reading import codes
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.states import unknown_weight

POOLS = ("pool:", "drawn:")
"""How the names of sources begin whose photos come without annotations: photos that tagger.mine found, or drew."""


def listed(store: CatalogStore, *, undone: bool = False) -> pa.Table:
    """Return the sightings that hold: where each source has its photos now.

    Args:
        store: The catalog.
        undone: Whether what an undone batch says is gone counts as gone, too.
    """
    ignored = set() if undone else {batch.number for batch in store.manifest.batches if batch.undone}
    parts = [
        rows.filter(rows["photo"].is_valid()) if number in ignored else rows
        for number, rows in store.parts("sightings")
    ]
    rows = pa.concat_tables([TABLES["sightings"].empty_table(), *parts]).unify_dictionaries()
    if not rows["photo"].null_count:
        return rows
    _, source = codes(rows["source"])
    keys, key = codes(rows["key"])
    pairs = source.astype(np.int64) * len(keys) + key
    _, behind = np.unique(pairs[::-1], return_index=True)
    last = rows.take(pa.array(np.sort(len(rows) - 1 - behind)))
    return last.filter(last["photo"].is_valid())


def gone(store: CatalogStore) -> np.ndarray:
    """Return which photos no source lists any more, boolean (photos,)."""
    now = listed(store)
    result = np.zeros(store.manifest.rows["photos"], dtype=bool)
    if len(now) < store.manifest.rows["sightings"]:
        result[store.table("sightings", ["photo"])["photo"].drop_null().to_numpy()] = True
        result[now["photo"].to_numpy()] = False
    return result


def trained_rows(store: CatalogStore) -> np.ndarray:
    """Return the rows of the photos that training sees, those with a file that a source lists; int64."""
    with_file = store.table("photos", ["path"])["path"].is_valid().to_numpy()
    return np.flatnonzero(with_file & ~gone(store))


def where_they_are(store: CatalogStore, photos: pa.Table) -> pa.Table:
    """Return the photos with the path and source at which they are listed now, which may be others than at first.

    Args:
        store: The catalog.
        photos: Its photos, with the columns source and path.
    """
    now = listed(store)
    if len(now) == store.manifest.rows["sightings"]:
        return photos
    now = now.filter(now["path"].is_valid())
    photo = now["photo"].to_numpy()
    at_first = photos.select(["source", "path"]).take(pa.array(photo))
    is_own = pc.equal(now["source"].cast(pa.string()), at_first["source"].cast(pa.string())).to_numpy()
    is_same = is_own & pc.fill_null(pc.equal(now["path"], at_first["path"]), False).to_numpy()
    stays = np.zeros(len(photos), dtype=bool)
    stays[photo[is_same]] = True
    # The own source comes first, and of one source what it listed first.
    order = np.flatnonzero(~stays[photo])
    order = order[np.lexsort((order, ~is_own[order], photo[order]))]
    first = order[np.unique(photo[order], return_index=True)[1]]
    moved, found = photo[first], now.take(pa.array(first))
    for name in ("source", "path"):
        column = photos[name].cast(pa.string()).combine_chunks()
        place = np.arange(len(photos))
        place[moved] = len(photos) + np.arange(len(moved))
        joined = pa.concat_arrays([column, found[name].cast(pa.string()).combine_chunks()])
        photos = photos.set_column(photos.column_names.index(name), name, joined.take(pa.array(place)))
    return photos


def only_chosen(sightings: pa.Table, sources: Mapping[str, Mapping[str, Any]], *, photos: int) -> np.ndarray:
    """Return which photos only sources have that chose them for their labels (``folds: train``), boolean (photos,).

    Args:
        sightings: Columns photo and source.
        sources: Settings by name, as in the catalog's manifest.
        photos: Number of photos.
    """
    photo, chose = sightings["photo"].to_numpy(), _by_choice(sightings, sources)
    result = np.zeros(photos, dtype=bool)
    result[photo[chose]] = True
    result[photo[~chose]] = False
    return result


def only_pools(store: CatalogStore) -> np.ndarray:
    """Return which photos only pools have: nobody has looked for any label on them, boolean (photos,)."""
    sightings = listed(store)
    photo, is_pool = sightings["photo"].to_numpy(), _of_pools(sightings)
    result = np.zeros(store.manifest.rows["photos"], dtype=bool)
    result[photo[is_pool]] = True
    result[photo[~is_pool]] = False
    return result


def photo_unknown_weights(store: CatalogStore) -> np.ndarray:
    """Return what an unknown label of every photo weighs, float32 (photos,): the least that any of its sources says.

    A source that chose a photo for a label has looked for no other, and a pool for none: they have no say where another
    source has the photo.
    """
    sightings, sources = listed(store), store.manifest.sources
    names, source = codes(sightings["source"])
    weights = np.array([unknown_weight(sources[str(name)]["unknown"]) for name in names], dtype=np.float32)[source]
    result = np.ones(store.manifest.rows["photos"], dtype=np.float32)
    photo, has_say = sightings["photo"].to_numpy(), ~_by_choice(sightings, sources) & ~_of_pools(sightings)
    is_said = np.zeros(len(result), dtype=bool)
    is_said[photo[has_say]] = True
    speaks = has_say | ~is_said[photo]
    np.minimum.at(result, photo[speaks], weights[speaks])
    return result


def _of_pools(sightings: pa.Table) -> np.ndarray:
    """Return which sightings are of a pool, boolean (sightings,)."""
    names, source = codes(sightings["source"])
    return np.array([str(name).startswith(POOLS) for name in names], dtype=bool)[source]


def _by_choice(sightings: pa.Table, sources: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """Return which sightings are of a source that chose its photos, boolean (sightings,)."""
    names, source = codes(sightings["source"])
    # Catalogs that were prepared earlier do not say.
    return np.array([sources[str(name)].get("folds") == "train" for name in names], dtype=bool)[source]
