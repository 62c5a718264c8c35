"""Labels that a photo nearly got: what a slider can give it without the network being asked again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 20
"""Of one photo; the highest scores count. A line grows by some hundred bytes, whatever the number of labels."""


def floor(threshold: float) -> float:
    """Return the score from which a label was near: half of its threshold, half of 1 for one that is never given.

    Example:
        >>> floor(0.4), floor(2)
        (0.2, 0.5)
    """
    return min(threshold, 1.0) / 2


def near_labels(
    scores: NDArray[np.float32], given: NDArray[np.bool_], thresholds: Sequence[float], *, most: int = MOST
) -> list[int]:
    """Return the columns of the labels that one photo nearly got, the highest score first.

    Args:
        scores: Of all labels, shape (labels,).
        given: Which of them the photo has, shape (labels,).
        thresholds: Of all labels.
        most: How many at most.

    Example:
        >>> near_labels(np.float32([0.5, 0.3, 0.39, 0.1]), np.array([True, False, False, False]), [0.4] * 4)
        [2, 1]
    """
    near = np.flatnonzero(~given & (scores >= np.array([floor(threshold) for threshold in thresholds])))
    best_first = near[np.argsort(-scores[near], kind="stable")][:most]
    return [int(label) for label in best_first]
