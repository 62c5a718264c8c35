"""What average precision a label of its size usually reaches: the other labels say.

With few photos a label is poor because it has few; what a label of many photos lacks is not photos. The curve is the
median AP of the labels of about the same size without the label itself, made to rise with the size.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

NEIGHBOURS = 15
"""Labels on either side in the order of size; fewer where there are few labels."""

TO_SIGMA = 1.4826
"""Median absolute deviation → standard deviation of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Expectation:
    """What the size of every label leads one to expect; float64 (labels,), NaN where a label does not count."""

    ap: np.ndarray
    """Expected average precision."""
    spread: np.ndarray
    """How far labels of this size usually lie from it: a robust standard deviation."""


def expected_ap(photos: np.ndarray, ap: np.ndarray) -> Expectation:
    """Predict the AP of every label from the number of its photos and the AP of the other labels.

    Args:
        photos: Photos that carry each label, (labels,).
        ap: Average precision, 0..1, NaN where a label has none; (labels,).

    Example:
        >>> photos = np.array([10, 20, 40, 80, 160])
        >>> expected_ap(photos, np.array([0.1, 0.2, 0.3, 0.1, 0.5])).ap.round(3)
        array([0.2, 0.2, 0.2, 0.3, 0.3])
    """
    result = Expectation(*(np.full(len(ap), np.nan) for _ in range(2)))
    known = np.flatnonzero(np.isfinite(ap))
    if len(known) < 3:
        return result
    order = known[np.argsort(photos[known], kind="stable")]
    around = _neighbours(len(order))
    medians = np.median(ap[order][around], axis=1)
    # Rising only: that more photos made a label worse is what is looked for, not what is expected.
    expected = IsotonicRegression().fit_transform(np.log1p(photos[order]), medians)
    distance = np.abs(ap[order] - expected)
    result.ap[order] = expected
    result.spread[order] = TO_SIGMA * np.median(distance[around], axis=1)
    return result


def _neighbours(labels: int) -> np.ndarray:
    """Return the places of the nearest labels of each, without itself: int64 (labels, neighbours)."""
    number = min(2 * NEIGHBOURS, max(2, labels // 3 // 2 * 2), labels - 1)
    place = np.arange(labels)[:, None]
    start = np.clip(place - number // 2, 0, labels - 1 - number)
    around = start + np.arange(number)
    return around + (around >= place)
