"""A label's precision-recall curve on validation, short enough to travel: for sliders, pictures and other targets.

Plain numbers and no torch: a bundle carries it.
"""

import sys
from dataclasses import dataclass
from typing import Any

MAX_POINTS = 256
"""Most points that are read of one curve."""


@dataclass(frozen=True)
class Curve:
    """Points from the strictest threshold to the loosest; a threshold between two of them gives at least the first."""

    thresholds: tuple[float, ...]
    """Falling, in [0, 1]."""
    tagged: tuple[float, ...]
    """Photos that score at least the threshold; unknown ones by their weight."""
    found: tuple[float, ...]
    """Those of them that carry the label."""
    positives: float
    """Photos that carry the label."""

    def __post_init__(self) -> None:
        points = len(self.thresholds)
        if not len(self.tagged) == len(self.found) == points or points > MAX_POINTS:
            raise ValueError(f"a curve has three columns of up to {MAX_POINTS} points each")
        if any(not 0 <= threshold <= 1 for threshold in self.thresholds):
            raise ValueError("a curve's thresholds lie in [0, 1]")
        if any(here <= below for here, below in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise ValueError("a curve's thresholds fall")
        if any(not 0 <= found <= tagged for found, tagged in zip(self.found, self.tagged, strict=True)):
            raise ValueError("a curve has no more photos found than tagged")

    @property
    def precision(self) -> tuple[float, ...]:
        """Share of the tagged photos that carry the label.

        Example:
            >>> Curve((0.8, 0.1), (1, 4), (1, 2), positives=2).precision
            (1.0, 0.5)
        """
        return tuple(found / tagged if tagged else 0.0 for found, tagged in zip(self.found, self.tagged, strict=True))

    @property
    def recall(self) -> tuple[float, ...]:
        """Share of the photos with the label that are tagged."""
        return tuple(found / self.positives if self.positives else 0.0 for found in self.found)

    @property
    def support(self) -> int:
        """Photos that carry the label."""
        return int(self.positives)

    @classmethod
    def from_plain(cls, plain: Any) -> "Curve":
        """Read a curve's fields as JSON has them, from whomever.

        Raises:
            ValueError: If it is none.
        """
        try:
            columns = {name: _numbers(plain[name]) for name in ("thresholds", "tagged", "found")}
            (positives,) = _numbers([plain["positives"]])
        except (KeyError, TypeError) as error:
            raise ValueError("a curve has thresholds, tagged, found and positives") from error
        return cls(**columns, positives=positives)


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list) or any(
        isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < sys.float_info.max
        for value in values
    ):
        raise ValueError("a curve consists of numbers")
    return tuple(float(value) for value in values)
