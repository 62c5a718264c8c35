"""The threshold contract on one stored curve, in plain Python: `tagger.tags.thresholds` does it for all of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, Literal

from tagger.tags.delivery.curve import Curve

Verdict = Literal["certified", "met", "unreachable"]


@dataclass(frozen=True)
class Promise:
    """What is asked of a label: a precision, a recall or both.

    Raises:
        ValueError: If neither is asked for, or a setting lies outside (0, 1).
    """

    precision: float | None = None
    recall: float | None = None
    confidence: float = 0.95
    """One-sided, of each lower bound."""

    def __post_init__(self) -> None:
        if self.precision is None and self.recall is None:
            raise ValueError("a target asks for a precision, a recall or both")
        for name, value in vars(self).items():
            if value is not None and not 0 < value < 1:
                raise ValueError(f"{name} must lie in (0, 1), got {value}")

    @classmethod
    def from_plain(cls, tree: Any, where: str) -> "Promise":
        """Read it from what YAML gives.

        Raises:
            ValueError: If it is none; says where.
        """
        try:
            return cls(**tree)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where} must be such as {{precision: 0.95}}, got {tree!r:.80}: {error}") from error


def threshold_of(curve: Curve, promise: Promise) -> tuple[float | None, Verdict]:
    """Return the threshold that keeps a promise, None if none does, and its verdict.

    First come the thresholds whose lower bounds keep it, then those whose estimates do. Of them a precision takes that
    of the greatest recall, a recall the highest, both that of the best F1.

    Example:
        >>> curve = Curve((0.9, 0.5, 0.1), (50, 60, 100), (50, 55, 60), positives=60)
        >>> threshold_of(curve, Promise(precision=0.9))
        (0.9, 'certified')
        >>> threshold_of(curve, Promise(precision=0.9, recall=0.9))
        (0.5, 'met')
        >>> threshold_of(curve, Promise(precision=0.95, recall=0.95))
        (None, 'unreachable')
    """
    points = list(zip(curve.thresholds, curve.tagged, curve.found, strict=True))

    def bounded(part: float, whole: float) -> float:
        return wilson(part, whole, confidence=promise.confidence)

    verdict: Verdict
    for verdict, rate in (("certified", bounded), ("met", _share)):
        kept = [point for point in points if _keeps(promise, point, curve.positives, rate)]
        if kept:
            return max(kept, key=lambda point: _preference(promise, point, curve.positives))[0], verdict
    return None, "unreachable"


def wilson(successes: float, trials: float, *, confidence: float) -> float:
    """Return the one-sided lower confidence bound of a share (Wilson 1927); 0 where there are no trials.

    Example:
        >>> round(wilson(25, 25, confidence=0.95), 4)
        0.9023
    """
    if not trials:
        return 0.0
    z = NormalDist().inv_cdf(confidence)
    spread = sqrt(max(successes * (trials - successes), 0.0) / trials + z * z / 4)
    return max((successes + z * z / 2 - z * spread) / (trials + z * z), 0.0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _keeps(
    promise: Promise, point: tuple[float, float, float], positives: float, rate: Callable[[float, float], float]
) -> bool:
    _, tagged, found = point
    return rate(found, tagged) >= (promise.precision or 0) and rate(found, positives) >= (promise.recall or 0)


def _preference(promise: Promise, point: tuple[float, float, float], positives: float) -> tuple[float, float]:
    threshold, tagged, found = point
    if promise.recall is None:
        return found, threshold
    if promise.precision is None:
        return threshold, threshold
    return 2 * found / (tagged + positives), threshold
