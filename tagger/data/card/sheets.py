"""Which photos to show of a label: a handful, the same at every writing, from every source."""

import numpy as np
from scipy.sparse import csc_array, csr_array

from tagger.data.states import PRESENT

NOBODY = -1
"""Where a label has fewer photos."""


def contact_sheets(
    states: csr_array, *, order: np.ndarray, source: np.ndarray, group: np.ndarray, usable: np.ndarray, count: int = 8
) -> np.ndarray:
    """Choose photos of every label: the sources take turns, and of a group (near-duplicates) there is one at most.

    Args:
        states: int8 (photos, labels); the photos shown are those on which the label is present.
        order: Place of every photo in the order in which they are preferred, (photos,).
        source: Source of every photo, int (photos,).
        group: Group of every photo, int (photos,).
        usable: Whether a photo can be shown, bool (photos,).
        count: Most photos of a label.

    Returns:
        Rows, int64 (labels, count); ``NOBODY`` where there are no more.

    Example:
        >>> states = csr_array(np.ones((4, 1), dtype=np.int8))
        >>> some = {"order": np.arange(4), "source": np.array([0, 0, 0, 1]), "group": np.array([0, 0, 2, 3])}
        >>> contact_sheets(states, **some, usable=np.ones(4, dtype=bool), count=3).tolist()
        [[0, 3, 2]]
    """
    preferred = np.argsort(order)
    preferred = preferred[usable[preferred]]
    # Rows in the order of preference: then every column lists its photos in that order.
    by_label = csc_array((states == PRESENT)[preferred])
    by_label.sort_indices()
    sheets = np.full((states.shape[1], count), NOBODY, dtype=np.int64)
    for label, sheet in enumerate(sheets):
        photos = preferred[by_label.indices[slice(*by_label.indptr[label : label + 2])]]
        photos = photos[np.sort(np.unique(group[photos], return_index=True)[1])]
        chosen = photos[taking_turns(source[photos])][:count]
        sheet[: len(chosen)] = chosen
    return sheets


def taking_turns(owner: np.ndarray) -> np.ndarray:
    """Return an order in which the owners take turns; within an owner things stay in their order.

    Example:
        >>> taking_turns(np.array([7, 7, 7, 5])).tolist()
        [0, 3, 1, 2]
    """
    by_owner = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[by_owner], prepend=-1))
    turn = np.empty(len(owner), dtype=np.int64)
    turn[by_owner] = np.arange(len(owner)) - np.repeat(starts, np.diff(starts, append=len(owner)))
    return np.argsort(turn, kind="stable")
