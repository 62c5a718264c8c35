"""Average precision and precision at a recall when photos have weights, for thousands of sets of weights at once.

Both need the precision only where the recall rises, which is at the photos that carry the label. A label's photos are
sorted once; then the weights between one such photo and the next are summed for all sets of weights together, and
the sums accumulated. The cost grows with photos × sets of weights, and with nothing else.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Steps:
    """The thresholds at which a label's recall rises, highest first, under every set of weights."""

    gained: Floats
    """Weight of the photos with the label that this threshold adds, (steps, sets)."""
    found: Floats
    """… of all that it tags, (steps, sets)."""
    tagged: Floats
    """Weight of all photos that it tags, with the label or without, (steps, sets)."""

    @property
    def precision(self) -> Floats:
        """Share of the tagged photos that carry the label; 0 where what is tagged weighs nothing."""
        return np.divide(self.found, self.tagged, out=np.zeros_like(self.found), where=self.tagged > 0)

    def average_precision(self) -> Floats:
        """Return the sum over thresholds of recall gained × precision, as scikit-learn defines it; shape (sets,)."""
        total = self.found[-1]
        return (self.gained * self.precision).sum(axis=0) / np.where(total > 0, total, np.nan)

    def precision_at(self, recall: float) -> Floats:
        """Return the precision at a recall above 0, one for every set, between steps in proportion; (sets,).

        Below the first step it is that of the first. `tagger.tags.metrics.precision_at_recall` takes the step that
        reaches the recall instead. Under weights a recall that was just reached is just missed half of the time: the
        figure would fall in steps, and its intervals lie too low.
        """
        wanted = recall * self.found[-1]
        # Sums that were added in another order may differ in the last digits.
        step = (self.found >= wanted - 1e-6 * self.found[-1]).argmax(axis=0)[None]
        found, precision = (np.take_along_axis(curve, step, axis=0)[0] for curve in (self.found, self.precision))
        gained = np.take_along_axis(self.gained, step, axis=0)[0]
        before = np.take_along_axis(self.precision, np.maximum(step - 1, 0), axis=0)[0]
        lacking = np.divide(found - wanted, gained, out=np.zeros_like(found), where=gained > 0).clip(0, 1)
        return precision + lacking * (before - precision)


def steps(scores: Floats, present: NDArray[np.bool_], counting: Floats, weights: Floats) -> Steps:
    """Return the thresholds at which a label's recall rises.

    Args:
        scores: Of one label, (photos,). Photos of equal score are tagged together.
        present: Which photos carry the label, (photos,); at least one.
        counting: What each photo counts for if it is tagged, in [0, 1], (photos,): 1 where the label is present or
            absent, what unknown counts for elsewhere.
        weights: Of every photo in every set, at least 0, (photos, sets).

    Raises:
        ValueError: If no photo carries the label.

    Example:
        >>> scores, present = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
        >>> label = steps(scores, present, np.ones(4), np.array([[1.0, 1.0], [1.0, 3.0], [1.0, 2.0], [1.0, 9.0]]))
        >>> label.average_precision().round(4).tolist()
        [0.8333, 0.6667]
        >>> label.precision_at(0.5).tolist(), label.precision_at(1.0).round(4).tolist()
        ([1.0, 0.875], [0.6667, 0.5])
    """
    if not present.any():
        raise ValueError("no photo carries the label: its recall never rises")
    order = np.argsort(-scores, kind="stable")
    descending = -scores[order]
    # Where each threshold stops: behind the last photo whose score equals that of one with the label.
    ends = np.unique(np.searchsorted(descending, -scores[present], side="right"))
    order, starts = order[: ends[-1]], np.concatenate([[0], ends[:-1]])
    counted = counting[order]
    above = weights[order] if (counted == 1).all() else weights[order] * counted[:, None].astype(weights.dtype)
    tagged = np.add.reduceat(above, starts, axis=0, dtype=np.float64).cumsum(axis=0)
    positive = present[order]
    # Each step adds at least one photo with the label: none of these sums is empty.
    firsts = np.concatenate([[0], positive.cumsum()])[starts]
    gained = np.add.reduceat(weights[order[positive]], firsts, axis=0, dtype=np.float64)
    return Steps(gained, gained.cumsum(axis=0), tagged)
