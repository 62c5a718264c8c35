"""How often each label is present and absent: what samplers and losses balance by."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class LabelCounts:
    """Photos on which each label is present and absent; the numbers need not be whole."""

    present: np.ndarray
    """float64 (labels,)"""
    absent: np.ndarray
    """float64 (labels,); an unknown label counts as absent by the weight that the data set gives it."""

    @property
    def frequencies(self) -> np.ndarray:
        """f(h) = present / (present + absent) in [0, 1], (labels,); 0 where nothing counts."""
        counted = self.present + self.absent
        return np.divide(self.present, counted, out=np.zeros_like(self.present), where=counted > 0)


@dataclass(frozen=True, eq=False)
class UnknownWeights:
    """What an unknown label weighs as a negative: as its photo says, or, for some labels, the same on every photo."""

    photos: np.ndarray
    """Weights in [0, 1], (photos,)."""
    labels: np.ndarray
    """Weights in [0, 1], (labels,); NaN where the photo's counts."""


def label_counts(
    states: csr_array, *, unknown: float | np.ndarray | UnknownWeights, factors: np.ndarray | None = None
) -> LabelCounts:
    """Count on how many photos each label is present and absent.

    Args:
        states: int8 (photos, labels); what is not stored is unknown.
        unknown: Weight of an unknown label as a negative, 0..1; one for every photo, (photos,); or `UnknownWeights`.
        factors: How often each photo counts, (photos,); None: once.

    Example:
        >>> states = csr_array(np.array([[1, 1], [1, 0], [-1, 0]], dtype=np.int8))
        >>> label_counts(states, unknown=0.5)
        LabelCounts(present=array([2., 1.]), absent=array([1., 1.]))
    """
    photos, labels = states.shape
    factors = np.ones(photos) if factors is None else factors
    weights = np.repeat(factors, np.diff(states.indptr))
    present = np.bincount(states.indices, weights=weights * (states.data > 0), minlength=labels)
    absent = np.bincount(states.indices, weights=weights * (states.data < 0), minlength=labels)
    if isinstance(unknown, UnknownWeights):
        unsaid = np.where(
            np.isnan(unknown.labels),
            _unsaid(states, factors * unknown.photos),
            unknown.labels * _unsaid(states, factors),
        )
    else:
        unsaid = _unsaid(states, factors * unknown)
    # NumPy counts nothing at all in integers.
    return LabelCounts(present.astype(np.float64), absent + unsaid)


def _unsaid(states: csr_array, silent: np.ndarray) -> np.ndarray:
    """Return the weight of the photos on which each label is unknown, float64 (labels,)."""
    known = np.bincount(states.indices, weights=np.repeat(silent, np.diff(states.indptr)), minlength=states.shape[1])
    # Where everything is known the difference of two sums may be a last digit below 0.
    return np.maximum(silent.sum() - known, 0.0)
