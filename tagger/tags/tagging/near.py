"""Labels that a photo nearly got: what a slider can give it without the network being asked again."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tagger.tags.runtime import Tagger

MOST = 20
"""Of one photo; the highest scores count. A line grows by some hundred bytes, whatever the number of labels."""


def floor(threshold: float) -> float:
    """Return the score from which a label was near: half of its threshold, half of 1 for one that is never given.

    Example:
        >>> floor(0.4), floor(2)
        (0.2, 0.5)
    """
    return min(threshold, 1.0) / 2


def offered(tagger: "Tagger") -> dict[str, float]:
    """Return the thresholds of the labels that photos may have; a label that a profile leaves out is none."""
    wanted = tagger.profile.labels
    pairs = zip((label.id for label in tagger.labels), tagger.thresholds.tolist(), strict=True)
    return {id_: threshold for id_, threshold in pairs if wanted is None or id_ in wanted}


def floors(tagger: "Tagger") -> NDArray[np.float64]:
    """Return the score from which each label of a tagger was near, shape (labels,)."""
    thresholds = offered(tagger)
    return np.array([floor(thresholds[label.id]) if label.id in thresholds else np.inf for label in tagger.labels])


def near_labels(
    scores: NDArray[np.float32], given: NDArray[np.bool_], floors: NDArray[np.float64], *, most: int = MOST
) -> list[int]:
    """Return the columns of the labels that one photo nearly got, the highest score first.

    Args:
        scores: Of all labels, shape (labels,).
        given: Which of them the photo has, shape (labels,).
        floors: Scores from which each is near, shape (labels,).
        most: How many at most.

    Example:
        >>> scores, given = np.array([0.5, 0.3, 0.39, 0.1], np.float32), np.array([True, False, False, False])
        >>> near_labels(scores, given, np.full(4, 0.2))
        [2, 1]
    """
    near = np.flatnonzero(~given & (scores >= floors))
    best_first = near[np.argsort(-scores[near], kind="stable")][:most]
    return [int(label) for label in best_first]
