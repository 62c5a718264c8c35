"""Which photos must share a fold, and the folds of new photos.

Photos that look alike (bursts, near-duplicates) and photos that their source says belong together form a group, which
never straddles folds: a test photo whose twin was trained on measures memory. A group is called by the row of its first
photo. What is in the catalog never moves; newcomers join it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from tagger.data.catalog import TEST_FOLD, TRAINING_FOLDS
from tagger.data.duplicates import ALONE, as_rows, duplicates
from tagger.data.split import FREE, join_groups, stratified_folds


def group_photos(old: pa.Table, new: pa.Table) -> np.ndarray:
    """Return the group of every photo, old and new: the row of its first photo, int64 (photos,).

    Args:
        old: Columns look and group of the photos in the catalog.
        new: Columns look and source_group of the photos to add; a null source group is a group of its own.
    """
    rows = len(old) + len(new)
    return joined(np.concatenate([_old_groups(old), _source_groups(new, after=len(old)), _alike(old, new)]), rows)


def alike(looks: pa.ChunkedArray) -> np.ndarray:
    """Link every photo that looks like others with the first of them: rows, int64 (links, 2).

    Args:
        looks: Fingerprints; null of a photo without a file.
    """
    with_look = np.flatnonzero(looks.is_valid().to_numpy())
    if len(with_look) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    first = duplicates(as_rows(looks.take(pa.array(with_look)).to_pylist())).alike
    grouped = np.flatnonzero(first != ALONE)
    return np.stack([with_look[first[grouped]], with_look[grouped]], axis=1)


def joined(links: np.ndarray, photos: int) -> np.ndarray:
    """Return the row of the first photo that each is linked with, directly or by way of others, int64 (photos,).

    Example:
        >>> joined(np.array([[1, 3], [3, 4]]), 5).tolist()
        [0, 1, 2, 1, 1]
    """
    graph = coo_array((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), shape=(photos, photos))
    _, component = connected_components(graph, directed=False)
    return np.unique(component, return_index=True)[1][component]


def deal_folds(
    states: csr_array,
    groups: np.ndarray,
    existing: np.ndarray,
    *,
    published: np.ndarray | None = None,
    chosen: np.ndarray | None = None,
) -> np.ndarray:
    """Return a fold for every photo; those that have one keep it.

    Args:
        states: int8 (photos, labels), of old and new photos.
        groups: Group of every photo, (photos,).
        existing: Fold of every photo, or ``FREE``, int8 (photos,).
        published: Boolean (photos,), the photos of published test sets, which are then in the test fold; or None.
        chosen: Boolean (photos,), those that were chosen for their labels, or None. They train, unless they are in the
            group of another photo, whose fold they share; the others are dealt as if they were not there.
    """
    given = existing.copy()
    chosen = np.zeros(len(given), dtype=bool) if chosen is None else chosen
    if published is not None:
        given[published & ~chosen & (existing == FREE)] = TEST_FOLD
    if not chosen.any():
        return stratified_folds(states, groups=groups, existing=given, seed=0)
    # Before the chosen ones are left out: others may be in the group of one that has a fold.
    join_groups(given, groups)
    others = np.flatnonzero(~chosen)
    given[others] = stratified_folds(states[others], groups=groups[others], existing=given[others], seed=0)
    return stratified_folds(states, groups=groups, existing=given, within=TRAINING_FOLDS, seed=0)


def _old_groups(old: pa.Table) -> np.ndarray:
    """Link every photo with the first of its group."""
    group = old["group"].to_numpy().astype(np.int64)
    member = np.flatnonzero(group != np.arange(len(old)))
    return np.stack([group[member], member], axis=1)


def _source_groups(new: pa.Table, *, after: int) -> np.ndarray:
    """Link every photo with the first of its source's group."""
    known = np.flatnonzero(new["source_group"].is_valid().to_numpy())
    names = new["source_group"].take(pa.array(known)).combine_chunks()
    if not len(known):
        return np.zeros((0, 2), dtype=np.int64)
    first = known[pc.index_in(names, names).to_numpy()]
    return after + np.stack([first, known], axis=1)


def _alike(old: pa.Table, new: pa.Table) -> np.ndarray:
    """Link photos that look alike."""
    return alike(pa.chunked_array([*old["look"].cast(pa.binary()).chunks, *new["look"].cast(pa.binary()).chunks]))
