"""What counts of two labels say, with intervals: confidence, lift, correlation, and whether it may be chance.

All bounds are one-sided at 95 %: each by itself is beyond the truth in one case of twenty.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

Floats = NDArray[np.float64]

BOUND = 0.95


def share(part: Floats, rest: Floats) -> tuple[Floats, Floats, Floats]:
    """Return part / (part + rest) with its lower and upper bound (Wilson 1927); nan, 0 and 1 where there is nothing.

    Args:
        part: Counts; they need not be whole.
        rest: Counts of what is not part of it.

    Example:
        >>> [round(float(figure), 3) for figure in share(np.array(45.0), np.array(5.0))]
        [0.9, 0.808, 0.95]
    """
    of = part + rest
    with np.errstate(invalid="ignore", divide="ignore"):
        value = part / of
        z = norm.ppf(BOUND)
        middle = (part + z * z / 2) / (of + z * z)
        half = z / (of + z * z) * np.sqrt(part * rest / of + z * z / 4)
    low = np.where(part > 0, np.clip(middle - half, 0, 1), 0.0)
    high = np.where(rest > 0, np.clip(middle + half, 0, 1), 1.0)
    return value, low, high


def ratio(observed: Floats, expected: Floats) -> tuple[Floats, Floats, Floats]:
    """Return observed / expected with its lower and upper bound, the count taken for Poisson's (Garwood 1936).

    The bounds are wide where labels are frequent. Nan, 0 and infinity where nothing is expected.

    Example:
        >>> [round(float(figure), 2) for figure in ratio(np.array(0.0), np.array(30.0))]
        [0.0, 0.0, 0.1]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = observed / expected
        low = np.where(observed > 0, chi2.ppf(1 - BOUND, 2 * observed) / 2 / expected, 0.0)
        high = chi2.ppf(BOUND, 2 * observed + 2) / 2 / expected
    nothing = expected <= 0
    return value, np.where(nothing, 0.0, low), np.where(nothing, np.inf, high)


def correlation(observed: Floats, expected: Floats, variance: Floats, photos: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the correlation φ of two labels in [−1, 1] with its lower and upper bound (Fisher's z); nan of a constant.

    Args:
        observed: Photos with both.
        expected: What that would be by chance.
        variance: Of that.
        photos: Photos on which both are known.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.clip((observed - expected) / np.sqrt(variance * (photos - 1)), -1, 1)
        half = norm.ppf(BOUND) / np.sqrt(np.maximum(photos - 3, 1))
        # Of ±1 the logarithm is infinite, and so are its bounds.
        middle = np.arctanh(value)
    return value, np.tanh(middle - half), np.tanh(middle + half)


def chance(observed: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return how probable such a difference is by chance, two-sided, 1 where nothing can differ.

    The test of Mantel and Haenszel (1959) with their correction for continuity; of one source it is Pearson's χ² with
    Yates' correction times (photos − 1) / photos.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.maximum(np.abs(observed - expected) - 0.5, 0) ** 2 / variance
    return np.where(variance > 0, chi2.sf(np.where(variance > 0, score, 0), 1), 1.0)
