"""Labels on photos that are drawn at random to be looked at: what the loop itself picks says nothing of the rest.

A *sample* of the test fold measures how many of its labels are wrong. Pairs that somebody has decided are *asked again*
to measure the annotators.
"""

import numpy as np
from scipy.sparse import csr_array

from tagger.data.states import ABSENT, PRESENT

Places = tuple[np.ndarray, np.ndarray]
"""Rows of photos and columns of labels, int64, of equal length."""


def sampled(
    states: csr_array, rows: np.ndarray, *, count: int, unknown: np.ndarray, closed: csr_array, seed: int = 0
) -> Places:
    """Draw pairs at random: half of them labels annotated as present, half of them labels that count as absent.

    Of a thousand pairs drawn from all of them a few would be present, and it is those that precision rests on.

    Args:
        states: What holds now, int8 (photos, labels).
        rows: Photos to draw from, those of the test fold.
        count: Pairs wanted; where one half has too few the other gives more.
        unknown: What an unknown label of each of these photos weighs as a negative, (rows,); where it weighs nothing it
            is not drawn.
        closed: Stored where people have decided, (photos, labels): not drawn.
        seed: Decides which.

    Returns:
        Pairs in random order, so that those who stop early have looked at a sample, too.

    Example:
        >>> states = csr_array(np.array([[1, 1, 0, -1], [1, 0, 0, 0]], dtype=np.int8))
        >>> nobody = csr_array((2, 4), dtype=np.int8)
        >>> photos, labels = sampled(states, np.array([0]), count=3, unknown=np.array([1.0]), closed=nobody)
        >>> photos.tolist(), sorted(labels.tolist())[:2]
        ([0, 0, 0], [0, 1])
    """
    rng = np.random.default_rng(seed)
    present, absent = parts_of_fold(states, rows, unknown=unknown, closed=closed)
    on, off = np.flatnonzero(present), np.flatnonzero(absent)
    half = min(len(on), max(count - count // 2, count - len(off)))
    drawn = np.concatenate([_some(on, half, rng), _some(off, min(len(off), count - half), rng)])
    place, column = np.divmod(rng.permutation(drawn), states.shape[1])
    return rows[place].astype(np.int64), column.astype(np.int64)


def parts_of_fold(
    states: csr_array, rows: np.ndarray, *, unknown: np.ndarray, closed: csr_array
) -> tuple[np.ndarray, np.ndarray]:
    """Return where nobody has decided yet: labels annotated as present, and those that count as absent.

    Both boolean, (rows, labels); arguments as in :func:`sampled`.
    """
    dense = states[rows].toarray()
    absent = (dense == ABSENT) | ((dense != PRESENT) & (unknown[:, None] > 0))
    is_open = closed[rows].toarray() == 0
    return (dense == PRESENT) & is_open, absent & is_open


def asked_again(decided: Places, *, count: int, seed: int = 0) -> Places:
    """Draw pairs that one person has decided, to ask another; those that several have decided tell enough.

    Args:
        decided: A pair for every person who has decided it.
        count: Pairs wanted; fewer if there are fewer.
        seed: Decides which.

    Example:
        >>> photos, labels = asked_again((np.array([5, 5, 7]), np.array([0, 0, 2])), count=9)
        >>> photos.tolist(), labels.tolist()
        ([7], [2])
    """
    pairs, people = np.unique(np.stack(decided, axis=1).reshape(-1, 2), axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(pairs[people == 1])[:count]
    return drawn[:, 0].astype(np.int64), drawn[:, 1].astype(np.int64)


def _some(places: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(places, count, replace=False)
