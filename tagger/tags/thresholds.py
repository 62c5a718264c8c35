"""The threshold contract: per label what was asked for, the threshold, and what may be promised of it.

Thresholds are fitted on validation. "The lowest threshold whose validation precision is at least 0.9" picks, among
hundreds of thresholds, one that was lucky: on fresh photos it misses 0.9 for a third to a half of the labels. So the
Wilson lower bound decides first, the point estimate only where no bound is high enough, and the verdict tells which
(Wilson 1927, "Probable inference, the law of succession, and statistical inference").
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from tagger.data.states import Weighing
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import Curves, Tally, curves, ratio, tally_at

NEVER = 2.0
"""Threshold that no score reaches. Far enough above 1 to stay there in half precision, and finite for every format."""

Fallback = Literal["best_f1", "silence"]

Verdict = Literal["certified", "met", "unreachable", "best_f1"]
"""The verdict on a label's threshold.

``certified``: the lower bounds meet the target. ``met``: only the estimates on validation do. ``unreachable``: no
threshold meets the target, or the label cannot be judged; a fallback applies. ``best_f1``: no target was asked for.
"""


@dataclass(frozen=True)
class Target:
    """What is asked of every label: a precision, a recall, both, or, if neither is given, the best F1.

    Of the thresholds that meet the target the contract takes, for a precision, that of the greatest recall; for a
    recall, the highest; for both, that of the best F1.

    Args:
        precision: Precision to reach, in (0, 1).
        recall: Recall to reach, in (0, 1).
        fallback: What a label does that cannot reach the target: ``"best_f1"`` or ``"silence"`` (it is never given).
        fallback_precision: Least precision, in [0, 1), of a threshold that is fallen back to; a label without one is
            silent. The best F1 of a label with one validation photo may tag half the album.
        confidence: One-sided confidence of each lower bound, in [0.5, 1).

    Raises:
        ValueError: If a setting lies outside its range.
    """

    precision: float | None = None
    recall: float | None = None
    fallback: Fallback = "best_f1"
    fallback_precision: float = 0.3
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name, value in (("precision", self.precision), ("recall", self.recall)):
            # A bound is below 1 however many photos there are, so that a target of 1 could never be certified.
            if value is not None and not 0 < value < 1:
                raise ValueError(f"thresholds.{name} must lie in (0, 1) or be null, got {value}")
        if self.fallback not in ("best_f1", "silence"):
            raise ValueError(f"thresholds.fallback must be 'best_f1' or 'silence', got {self.fallback!r}")
        if not 0 <= self.fallback_precision < 1:
            raise ValueError(f"thresholds.fallback_precision must lie in [0, 1), got {self.fallback_precision}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"thresholds.confidence must lie in [0.5, 1), got {self.confidence}")

    @property
    def is_best_f1(self) -> bool:
        """Whether neither precision nor recall is asked for."""
        return self.precision is None and self.recall is None


@dataclass(frozen=True)
class OperatingPoint:
    """Where one label works on its precision-recall curve, measured on validation; None where there is no answer."""

    threshold: float
    """The label is given from this score; ``NEVER`` (2.0) if it never is."""
    precision: float | None
    """None if nothing is tagged."""
    recall: float | None
    """None if no photo carries the label."""
    precision_bound: float | None
    """Lower bound of the precision."""
    recall_bound: float | None
    """Lower bound of the recall."""
    support: int
    """Photos that carry the label."""
    tagged: float
    """Photos tagged; unknown ones by their weight."""
    verdict: Verdict
    fallback: str
    """``best_f1`` or ``silence`` where the verdict is ``unreachable``, else empty."""


@dataclass(frozen=True, eq=False)
class Contract:
    """The thresholds of all labels and what they gave on validation. No field holds NaN or infinity."""

    target: Target
    unknown: Weighing
    """What an unknown label counted for."""
    thresholds: Tensor
    """float32, shape (labels,): edges of the histogram, or ``NEVER``."""
    tally: Tally
    """What the thresholds gave on validation: tagged, found, support, and precision, recall and F1 from them."""
    verdicts: tuple[Verdict, ...]
    fallbacks: tuple[str, ...]
    """``best_f1`` or ``silence`` where the verdict is ``unreachable``, else empty."""

    @property
    def precision_bound(self) -> Tensor:
        """Lower bound of the precision, float64, shape (labels,); 0 where nothing is tagged."""
        return wilson_lower_bound(self.tally.found, self.tally.tagged, confidence=self.target.confidence)

    @property
    def recall_bound(self) -> Tensor:
        """Lower bound of the recall, float64, shape (labels,); 0 where no photo carries the label."""
        return wilson_lower_bound(self.tally.found, self.tally.positives, confidence=self.target.confidence)

    def points(self) -> list[OperatingPoint]:
        """Return one record per label."""
        tagged, support = self.tally.tagged.tolist(), self.tally.positives.long().tolist()

        def where(values: Tensor, present: list[float] | list[int]) -> list[float | None]:
            return [value if p else None for value, p in zip(values.tolist(), present, strict=True)]

        columns = (
            self.thresholds.tolist(),
            where(self.tally.precision, tagged),
            where(self.tally.recall, support),
            where(self.precision_bound, tagged),
            where(self.recall_bound, support),
            support,
            tagged,
            self.verdicts,
            self.fallbacks,
        )
        return [OperatingPoint(*row) for row in zip(*columns, strict=True)]


def wilson_lower_bound(successes: Tensor, trials: Tensor, *, confidence: float = 0.95) -> Tensor:
    """Return the one-sided lower confidence bound of a share (Wilson 1927).

    With p = successes / trials, n = trials and z the normal quantile of ``confidence``::

        (p + z²/2n − z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    Without a failure it is n / (n + z²): to certify a precision of 0.9 takes at least 25 tagged photos, all right.

    Args:
        successes: Counts 0..trials, any shape; fractions are taken as effective counts.
        trials: Counts, in a shape that broadcasts.
        confidence: One-sided, in [0.5, 1).

    Returns:
        Bounds in [0, 1), float64; 0 where there are no trials.

    Example:
        >>> wilson_lower_bound(torch.tensor([9, 24, 25, 0]), torch.tensor([10, 24, 25, 0]))
        tensor([0.6523, 0.8987, 0.9023, 0.0000], dtype=torch.float64)
    """
    z = NormalDist().inv_cdf(confidence)
    successes, trials = successes.double(), trials.double()
    # The formula times n, which leaves no division by zero trials.
    failures = trials - successes
    spread = torch.sqrt(successes * failures / trials.clamp(min=1e-300) + z * z / 4)
    bound = (successes + z * z / 2 - z * spread) / (trials + z * z).clamp(min=1e-300)
    # With no successes rounding may leave −1e-17.
    return bound.clamp_(min=0)


def fit(histogram: Histogram, target: Target, *, unknown: Weighing) -> Contract:
    """Choose a threshold for every label.

    Thresholds are tried where the decision changes: at the edge below each occupied bin. First those whose Wilson
    bounds meet the target, then those whose estimates do, then the fallback. The bounds hold one at a time: with
    both precision and recall asked for at 95 %, the two together hold with 90 %. Equally good thresholds are resolved
    in favour of the highest. A label that no photo carries, or that no photo is known to lack, cannot be judged: it is
    unreachable and silent whatever the fallback.

    Args:
        histogram: Scores and states of the validation photos.
        target: What is asked of every label.
        unknown: What an unknown label counts for: ``"negative"``, ``"ignore"`` or a weight in [0, 1]; with a weight
            the bounds rest on effective counts.

    Example:
        >>> scores = torch.linspace(0.99, 0.01, 50)[:, None]
        >>> states = torch.where(torch.arange(50) < 25, 1, -1)[:, None]
        >>> contract = fit(Histogram.of(scores, states), Target(precision=0.9), unknown="negative")
        >>> contract.verdicts, contract.tally.recall
        (('certified',), tensor([1.], dtype=torch.float64))
    """
    choices = [_choose(curves(block, unknown=unknown), target) for block in histogram.blocks()]
    thresholds, is_certified, is_met = (torch.cat(column) for column in zip(*choices, strict=True))
    tally = tally_at(histogram, thresholds, unknown=unknown)
    verdicts, fallbacks = _verdicts(target, is_certified, is_met, silent=thresholds == NEVER)
    return Contract(target, unknown, thresholds, tally, verdicts, fallbacks)


def report(contract: Contract, histogram: Histogram) -> Tally:
    """Return what the contract's thresholds give on other photos, for instance those of the test fold.

    Raises:
        ValueError: If the histogram has another number of labels than the contract.
    """
    return tally_at(histogram, contract.thresholds, unknown=contract.unknown)


def _choose(curve: Curves, target: Target) -> tuple[Tensor, Tensor, Tensor]:
    """Return the thresholds, and for which labels bounds and estimates meet the target; each of shape (labels,)."""
    candidates = curve.steps & curve.counted[:, None]
    certified, met = _meeting(curve, target, candidates)
    is_certified, is_met = certified.any(dim=1), met.any(dim=1)
    worthwhile = candidates & (curve.precision >= target.fallback_precision)
    eligible = torch.where(is_certified[:, None], certified, torch.where(is_met[:, None], met, worthwhile))
    preference = torch.where(is_met[:, None], _preference(curve, target), curve.f1)
    best = _highest_of_greatest(preference.where(eligible, -1.0))
    given = is_met if target.fallback == "silence" else is_met | worthwhile.any(dim=1)
    return curve.thresholds[best].where(given, NEVER), is_certified, is_met


def _meeting(curve: Curves, target: Target, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the bounds meet the target, and where the estimates do; both boolean, (labels, bins)."""
    if target.is_best_f1:
        return torch.zeros_like(candidates), candidates
    certified, met = candidates, candidates
    for wanted, trials in ((target.precision, curve.tagged), (target.recall, curve.positives[:, None])):
        if wanted is not None:
            # Divided, not multiplied: 11 / 20 is 0.55 to the bit, but 0.55 * 20 exceeds 11.
            met = met & (ratio(curve.found, trials) >= wanted)
            certified = certified & (wilson_lower_bound(curve.found, trials, confidence=target.confidence) >= wanted)
    return certified, met


def _preference(curve: Curves, target: Target) -> Tensor:
    """Return by what to choose among the thresholds that meet the target; non-negative, (labels, bins)."""
    if target.precision is not None and target.recall is None:
        return curve.recall
    if target.recall is not None and target.precision is None:
        return curve.thresholds.double().expand_as(curve.tagged)
    return curve.f1


def _highest_of_greatest(values: Tensor) -> Tensor:
    # argmax returns the first of equals.
    return values.shape[1] - 1 - values.flip(1).argmax(dim=1)


def _verdicts(
    target: Target, is_certified: Tensor, is_met: Tensor, *, silent: Tensor
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    reached: Verdict = "best_f1" if target.is_best_f1 else "met"
    verdicts: list[Verdict] = []
    fallbacks = []
    for sure, enough, mute in zip(is_certified.tolist(), is_met.tolist(), silent.tolist(), strict=True):
        verdicts.append("certified" if sure else reached if enough else "unreachable")
        fallbacks.append("" if enough else "silence" if mute else "best_f1")
    return tuple(verdicts), tuple(fallbacks)
