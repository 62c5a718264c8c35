"""The worst mistakes of every label on a fold: which photos to look at first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.data.states import ABSENT, PRESENT, UNKNOWN

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Mistakes:
    """Rows of photos, worst first, each shape (labels, count); -1 where a label has fewer mistakes."""

    false_positives: Rows
    """Tagged although known to be absent, highest score first."""
    unlisted: Rows
    """Tagged although nobody annotated present or absent, highest score first: often a label that the source forgot."""
    false_negatives: Rows
    """Present but not tagged, lowest score first."""


def worst_mistakes(
    scores: NDArray[np.floating],
    states: NDArray[np.int8],
    thresholds: NDArray[np.floating],
    *,
    count: int = 4,
    block: int = 64,
) -> Mistakes:
    """Find the photos on which every label is most wrong; a NaN score is neither right nor wrong.

    Args:
        scores: 0..1, shape (photos, labels). May be a memory map: ``block`` labels are read at a time.
        states: PRESENT, ABSENT or UNKNOWN, shape (photos, labels).
        thresholds: Score from which a label is given, shape (labels,).
        count: How many photos of each kind.
        block: Labels looked at together; memory is a few times photos × block.

    Example:
        >>> scores, states = np.array([[0.9], [0.6], [0.2]]), np.array([[-1], [0], [1]])
        >>> worst_mistakes(scores, states, np.array([0.5]), count=1)
        Mistakes(false_positives=array([[0]]), unlisted=array([[1]]), false_negatives=array([[2]]))
    """
    found: list[tuple[Rows, Rows, Rows]] = [(np.empty((0, count), np.int64),) * 3]
    for start in range(0, scores.shape[1], block):
        labels = slice(start, start + block)
        score = np.ascontiguousarray(scores[:, labels].T)
        state = np.ascontiguousarray(states[:, labels].T)
        threshold = np.asarray(thresholds[labels])[:, None]
        tagged, silent = score >= threshold, score < threshold
        found.append(
            (
                highest(score, tagged & (state == ABSENT), count=count),
                highest(score, tagged & (state == UNKNOWN), count=count),
                highest(-score, silent & (state == PRESENT), count=count),
            )
        )
    return Mistakes(*(np.concatenate(rows) for rows in zip(*found, strict=True)))


def chosen_rows(mistakes: Mistakes, *, limit: int) -> Rows:
    """Return at most ``limit`` photos to embed: the worst mistake of every label, then the second, and so on.

    Example:
        >>> worst = Mistakes(np.array([[5, 6], [5, 7]]), np.array([[-1, -1], [8, -1]]), np.array([[9, -1], [-1, -1]]))
        >>> chosen_rows(worst, limit=4)
        array([5, 8, 9, 6])
    """
    by_rank = (
        np.stack([mistakes.false_positives, mistakes.unlisted, mistakes.false_negatives]).transpose(2, 0, 1).ravel()
    )
    rows, first_seen = np.unique(by_rank[by_rank >= 0], return_index=True)
    return rows[np.argsort(first_seen)][:limit]


def highest(values: NDArray[np.floating], candidates: NDArray[np.bool_], *, count: int) -> Rows:
    """Return the columns of the highest values among the candidates of every row, highest first, then -1.

    Args:
        values: Shape (rows, columns).
        candidates: Where to look, shape (rows, columns).
        count: Length of the answer of a row, shape (rows, count).

    Example:
        >>> highest(np.array([[0.1, 0.9, 0.5]]), np.array([[True, False, True]]), count=3)
        array([[ 2,  0, -1]])
    """
    worth = np.where(candidates, values, -np.inf)
    columns = (
        np.argpartition(worth, -min(count, worth.shape[1]), axis=1)[:, -count:] if worth.size else worth.astype(int)
    )
    order = np.argsort(-np.take_along_axis(worth, columns, axis=1), axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    columns[np.isneginf(np.take_along_axis(worth, columns, axis=1))] = -1
    return np.pad(columns, ((0, 0), (0, count - columns.shape[1])), constant_values=-1)
