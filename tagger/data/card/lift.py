"""Which labels come together: the lift of a pair is how many times as often as by chance.

Chance is reckoned source by source, n(a) n(b) / n photos of each, or the pair would only say that both labels are
common in the same source. It is reckoned on photos on which both labels are known: where a source's silence means that
a label is absent, it is known, and where it means that by a weight, the photo counts by that weight. Otherwise a source
that never says absent would make its labels come together with everything.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from tagger.data.states import PRESENT


@dataclass(frozen=True, eq=False)
class Lifts:
    """The lift of every pair of labels."""

    lift: np.ndarray
    """float64 (labels, labels), symmetric; NaN where nothing is known."""
    together: np.ndarray
    """Photos on which both are present, int64 (labels, labels); on the diagonal those of the label."""


@dataclass(frozen=True)
class Pair:
    """Two labels that come together more often than by chance."""

    first: int
    """Column of a label; the smaller of the two."""
    second: int
    lift: float
    together: int
    """Photos on which both are present."""


def lifts(states: csr_array, unknown_weight: np.ndarray, source: np.ndarray, *, block: int = 16_384) -> Lifts:
    """Return the lift of every pair of labels.

    Args:
        states: int8 (photos, labels); unknown is not stored.
        unknown_weight: What unknown weighs as absent on every photo, 0..1, (photos,).
        source: Source of every photo, int (photos,).
        block: Photos looked at together; memory is a few times block × labels floats.

    Example:
        >>> states = csr_array(np.array([[1, 1], [1, 1], [-1, -1], [0, 1]], dtype=np.int8))
        >>> lifts(states, np.array([0.0, 0, 0, 0]), np.zeros(4)).lift.round(2).tolist()
        [[1.5, 1.5], [1.5, 1.33]]
        >>> lifts(states, np.array([1.0, 1, 1, 1]), np.zeros(4)).lift[0, 1].round(2).item()
        1.33
    """
    labels = states.shape[1]
    together, chance = np.zeros((labels, labels)), np.zeros((labels, labels))
    for one in np.unique(source):
        rows = np.flatnonzero(source == one)
        pair, single, known = _tally(states[rows], unknown_weight[rows], block=block)
        together += pair
        chance += np.divide(single * single.T, known, out=np.zeros_like(known), where=known > 0)
    lift = np.divide(together, chance, out=np.full((labels, labels), np.nan), where=chance > 0)
    return Lifts(lift, together.round().astype(np.int64))


def _tally(states: csr_array, unknown_weight: np.ndarray, *, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for labels i and j the photos with both, those with i on which j is known, and those that know both."""
    photos, labels = states.shape
    present = csr_array((states == PRESENT).astype(np.float32))
    single, both = np.zeros((labels, labels)), np.zeros((labels, labels))
    for start in range(0, photos, block):
        rows = slice(start, start + block)
        known = np.repeat(unknown_weight[rows, None].astype(np.float32), labels, axis=1)
        known[states[rows].nonzero()] = 1
        both += known.T @ known
        single += csr_array(present[rows].T) @ known
    # float32 counts exactly up to 16.7 million.
    return (present.T @ present).toarray().astype(np.float64), single, both


def strongest_pairs(found: Lifts, follows: np.ndarray, *, count: int = 40, support: int = 5) -> list[Pair]:
    """Return the pairs of highest lift, the highest first; those with the most photos first among equals.

    Args:
        found: Of all pairs.
        follows: Boolean (labels, labels): pairs of which one follows from the other are left out, they say nothing new.
        count: Most pairs.
        support: Fewest photos on which both labels are present.

    Example:
        >>> found = Lifts(np.array([[9, 3, 2.0], [3, 9, 8], [2, 8, 9]]), np.full((3, 3), 7))
        >>> follows = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
        >>> [(pair.first, pair.second) for pair in strongest_pairs(found, follows)]
        [(0, 1), (0, 2)]
    """
    telling = np.triu(~(follows | follows.T), k=1) & (found.together >= support) & (found.lift > 1)
    first, second = np.nonzero(telling)
    lift, together = found.lift[first, second], found.together[first, second]
    best = np.lexsort((second, first, -together, -lift.round(9)))[:count]
    columns = (first[best], second[best], lift[best], together[best])
    return [Pair(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


def side_by_side(pairs: list[Pair]) -> list[int]:
    """Return the labels of the pairs, ordered so that those that come together stand beside each other.

    Example:
        >>> side_by_side([Pair(0, 3, 9.0, 5), Pair(1, 2, 8.0, 5), Pair(3, 4, 7.0, 5)])
        [2, 1, 4, 3, 0]
    """
    ends = np.array([(pair.first, pair.second) for pair in pairs], dtype=np.int64).reshape(-1, 2)
    used = np.unique(ends)
    place = np.searchsorted(used, ends)
    links = csr_array((np.ones(len(ends)), (place[:, 0], place[:, 1])), shape=(len(used), len(used)))
    # Cuthill and McKee 1969: neighbours get near numbers, one connected part after the other.
    order = reverse_cuthill_mckee(csr_array(links + links.T), symmetric_mode=True) if len(used) else used
    return [int(label) for label in used[order]]
