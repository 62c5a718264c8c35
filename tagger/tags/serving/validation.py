"""Where a threshold sits on a label's precision-recall curve, which the bundle keeps from validation."""

from bisect import bisect_left
from dataclasses import dataclass

from tagger.tags.delivery.curve import Curve


@dataclass(frozen=True)
class Point:
    """What a threshold gave on validation."""

    precision: float
    recall: float


def point_at(curve: Curve, threshold: float) -> Point | None:
    """Return what a threshold gave on validation, or None if it tagged none of the label's photos.

    Between two points of the curve only mistakes are added, so that recall is the stricter point's; how many of the
    mistakes there were is interpolated.

    Example:
        >>> curve = Curve((0.8, 0.4), (1, 4), (1, 2), positives=4)
        >>> point_at(curve, 0.9), point_at(curve, 0.8), point_at(curve, 0.6), point_at(curve, 0.1)
        (None, Point(precision=1.0, recall=0.25), Point(precision=0.5, recall=0.25), Point(precision=0.5, recall=0.5))
    """
    # How many points have at least this threshold; thresholds fall. A curve's have nine decimals, ours are float32.
    lowest = threshold * (1 - 1e-6) - 1e-9
    place = bisect_left(curve.thresholds, True, key=lambda point: point < lowest)
    if place == 0 or not curve.positives:
        return None
    found, tagged = curve.found[place - 1], curve.tagged[place - 1]
    if place < len(curve.thresholds):
        above, below = curve.thresholds[place - 1], curve.thresholds[place]
        mistakes = (curve.tagged[place] - curve.found[place]) - (tagged - found)
        tagged += mistakes * max(0.0, above - threshold) / (above - below)
    return Point(found / tagged if tagged else 0.0, found / curve.positives)
