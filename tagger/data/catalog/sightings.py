"""Where photos were seen: which of them only a search has, and what an unknown label of each weighs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tagger.data.catalog.reading import codes
from tagger.data.catalog.store import CatalogStore
from tagger.data.states import unknown_weight

POOLS = ("pool:", "drawn:")
"""How the names of sources begin whose photos come without annotations: photos that tagger.mine found, or drew."""


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
    sightings = store.table("sightings", ["photo", "source"])
    photo, is_pool = sightings["photo"].to_numpy(), _of_pools(sightings)
    result = np.zeros(store.manifest.rows["photos"], dtype=bool)
    result[photo[is_pool]] = True
    result[photo[~is_pool]] = False
    return result


def silence(store: CatalogStore) -> np.ndarray:
    """Return what an unknown label of every photo weighs, float32 (photos,): the least that any of its sources says.

    A source that chose a photo for a label has looked for no other, and a pool for none: they have no say where another
    source has the photo.
    """
    sightings, sources = store.table("sightings", ["photo", "source"]), store.manifest.sources
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
