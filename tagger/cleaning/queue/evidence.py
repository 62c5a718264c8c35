"""What speaks for and against a pair of photo and label, besides its score: for the people who decide."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from tagger.data.duplicates import ALIKE, as_rows, within
from tagger.data.states import ABSENT, PRESENT
from tagger.data.taxonomy import Taxonomy

TOP, CONFIDENT = 5, 0.5
"""The blueprint's pseudo-labels: a photo's five best labels, those with a score above one half."""


def is_top(scores: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return which pairs are among their photo's five best labels with a score above 0.5, boolean (pairs,).

    Args:
        scores: (photos, labels), 0..1.
        rows: Of the pairs' photos.
        columns: Of the pairs' labels.

    Example:
        >>> is_top(np.array([[0.9, 0.8, 0.2]]), np.array([0, 0]), np.array([1, 2])).tolist()
        [True, False]
    """
    own = scores[rows, columns]
    better = (scores[rows] > own[:, None]).sum(axis=1)
    return np.asarray((own > CONFIDENT) & (better < TOP))


def implied_by(taxonomy: Taxonomy, states: csr_array, rows: np.ndarray, columns: np.ndarray) -> list[str]:
    """Return for each pair the labels present on its photo from which its label follows, ``""`` if none."""
    found = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        own = slice(states.indptr[row], states.indptr[row + 1])
        present = states.indices[own][states.data[own] == PRESENT]
        implying = present[taxonomy.closure[present, column] & (present != column)]
        found.append(", ".join(taxonomy.ids[label] for label in implying.tolist()))
    return found


def twins(
    photos: pa.Table,
    states: csr_array,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    place: Callable[[int], str],
) -> list[str]:
    """Return what a near-duplicate says of each pair where it contradicts it, ``""`` if none does.

    Args:
        photos: Columns ``group`` and ``look`` of all photos, see ``tagger.data.catalog.store``.
        states: int8 (photos, labels).
        rows: Of the pairs' photos.
        columns: Of the pairs' labels.
        place: What a photo is called, by its row.
    """
    partners = near_duplicates(photos, np.unique(rows))
    return [
        _contradiction(states, row, column, partners.get(row, ()), place)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def near_duplicates(photos: pa.Table, rows: np.ndarray) -> dict[int, tuple[int, ...]]:
    """Return the near-duplicates of those photos that have any.

    They are looked for within the photo's group, where preparing has put them; a group may hold others too, which a
    source calls one group.
    """
    groups = photos["group"].to_numpy()
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], groups[rows], side="left")
    ends = np.searchsorted(groups[order], groups[rows], side="right")
    pairs = [
        (row, other)
        for row, start, end in zip(rows.tolist(), starts, ends, strict=True)
        for other in order[start:end].tolist()
        if other != row
    ]
    if not pairs:
        return {}
    both = np.array(pairs, dtype=np.int64)
    needed, places = np.unique(both, return_inverse=True)
    looks = photos["look"].take(pa.array(needed)).to_pylist()
    near = both[within(as_rows(looks), places.reshape(both.shape), distance=ALIKE)]
    found: dict[int, tuple[int, ...]] = {}
    for row, other in near.tolist():
        found[row] = (*found.get(row, ()), other)
    return found


def _contradiction(
    states: csr_array, row: int, column: int, partners: tuple[int, ...], place: Callable[[int], str]
) -> str:
    for other in partners:
        state = states[other, column]
        if state in (PRESENT, ABSENT) and state != states[row, column]:
            return f"{place(other)} {'has it' if state == PRESENT else 'does not have it'}"
    return ""
