"""How often labels are on the same photos: every pair of labels at once, what is unknown weighed as its source says.

A photo counts for a pair where both labels are known. An unknown label is a negative of its photo's weight, and of two
the product counts. Where nobody would ever say that a label is absent, its being present tells nothing: such photos
count for none of the label's pairs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tagger.data.states import ABSENT, PRESENT

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Photos by the states of two labels, each float64 (labels, labels): row one label, column the other."""

    both: Floats
    """Photos that carry both."""
    only: Floats
    """Photos that carry the row's label and not the column's, unknown ones by their weight."""
    denied: Floats
    """Those of ``only`` of which somebody says that the column's label is absent."""
    neither: Floats
    """Photos that carry none of the two, unknown ones by their weight."""
    expected: Floats
    """What ``both`` would be if the two had nothing to do with each other within a source."""
    variance: Floats
    """Of ``both`` around that, as Mantel and Haenszel (1959) have it."""

    @property
    def photos(self) -> Floats:
        """Photos that count for the pair."""
        return self.both + self.only + self.only.T + self.neither


def count_pairs(
    states: csr_array,
    *,
    unknown: float | np.ndarray,
    sources: np.ndarray | None = None,
    factors: np.ndarray | None = None,
) -> Pairs:
    """Count on how many photos each two labels are present and absent.

    Args:
        states: int8 (photos, labels); what is not stored is unknown.
        unknown: Weight in [0, 1] of an unknown label as a negative, or one for every photo, (photos,).
        sources: Number of every photo's source, (photos,); None: all are of one. Labels that go together only because
            one source has more of both do not go together.
        factors: How much each photo counts, (photos,); None: 1.

    Example:
        >>> states = csr_array(np.array([[1, 1], [1, -1], [1, 0], [-1, 0]], dtype=np.int8))
        >>> pairs = count_pairs(states, unknown=0.5)
        >>> pairs.both[0, 1], pairs.only[0, 1], pairs.denied[0, 1], pairs.neither[0, 1]
        (np.float64(1.0), np.float64(1.5), np.float64(1.0), np.float64(0.5))
    """
    photos, labels = states.shape
    weights = np.broadcast_to(np.asarray(unknown, dtype=np.float64), photos)
    sources = np.zeros(photos, dtype=np.int64) if sources is None else sources
    factors = np.ones(photos) if factors is None else factors
    counts = np.zeros((6, labels, labels))
    for source, weight in sorted(set(zip(sources.tolist(), weights.tolist(), strict=True))):
        rows = np.flatnonzero((sources == source) & (weights == weight))
        counts += _counted(states[rows], weight, factors[rows])
    return Pairs(*counts)


def _counted(states: csr_array, weight: float, factors: np.ndarray) -> Floats:
    """Return the six matrices of photos of one source, float64 (6, labels, labels)."""
    present, absent = ((states == state).astype(np.float64) for state in (PRESENT, ABSENT))
    counted = csr_array(present.multiply(factors[:, None]))
    both, denied = (counted.T @ present).toarray(), (counted.T @ absent).toarray()
    carried = counted.sum(axis=0)
    only = denied + weight * (carried[:, None] - both - denied)
    # A label is a negative of 1 where it is absent, of `weight` where it is unknown: weight + beside.
    beside = csr_array((1 - weight) * absent - weight * present)
    weighed = csr_array(beside.multiply(factors[:, None]))
    sums = weighed.sum(axis=0)
    neither = weight**2 * factors.sum() + weight * (sums[:, None] + sums) + (weighed.T @ beside).toarray()
    # Differences of sums may be a last digit below 0.
    only, neither = np.maximum(only, 0), np.maximum(neither, 0)
    deniable = absent.sum(axis=0) + weight > 0
    counts = np.stack([both, only, denied, neither]) * (deniable[:, None] & deniable)
    return np.concatenate([counts, _by_chance(*counts[[0, 1, 3]])])


def _by_chance(both: Floats, only: Floats, neither: Floats) -> Floats:
    """Return how often two labels would meet by chance, and the variance of that, float64 (2, labels, labels)."""
    all_, ones, others = both + only + only.T + neither, both + only, both + only.T
    enough = all_ > 1
    expected = np.divide(ones * others, all_, out=np.zeros_like(both), where=enough)
    free = ones * (all_ - ones) * others * (all_ - others)
    variance = np.divide(free, all_**2 * (all_ - 1), out=np.zeros_like(both), where=enough)
    return np.stack([expected, np.maximum(variance, 0)])
