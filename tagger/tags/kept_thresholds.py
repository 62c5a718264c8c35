"""Thresholds that stay as they were: of a model that was extended, only those that no longer do are fitted again.

Who uses a tagger has got used to its thresholds, and may have written some of them down. A threshold that keeps its
promise on validation as well as a new one would is left alone.
"""

from dataclasses import replace

import torch
from torch import Tensor

from tagger.tags.histogram import Histogram
from tagger.tags.metrics import Tally, ratio, tally_at
from tagger.tags.thresholds import NEVER, Contract, Target, wilson_lower_bound

ENOUGH = 0.95
"""Share of the best F1 on validation that an earlier threshold must still have where F1 is all that is asked for."""


def kept(fitted: Contract, histogram: Histogram, earlier: Tensor) -> tuple[Contract, Tensor]:
    """Return the contract with the earlier thresholds where they still do, and where they were fitted again.

    An earlier threshold still does if its verdict on these photos is as good as that of a new one (``certified``, then
    ``met``). Where the target is out of reach it must still be good enough to fall back to, its F1 at least ``ENOUGH``
    of a new one's. A label that was silent stays so while there is no threshold for it.

    Args:
        fitted: Newly fitted on the validation photos.
        histogram: What it was fitted on.
        earlier: Thresholds, (labels,); NaN of labels that have none.

    Returns:
        The contract, and which labels have a new threshold though they had one, boolean (labels,).

    Example:
        >>> from tagger.tags.thresholds import fit
        >>> scores, states = torch.tensor([[0.9], [0.8], [0.2]]), torch.tensor([[1], [1], [-1]])
        >>> histogram = Histogram.of(scores, states)
        >>> fitted = fit(histogram, Target(precision=0.9), unknown="ignore")
        >>> contract, again = kept(fitted, histogram, torch.tensor([0.5]))
        >>> contract.thresholds, contract.verdicts, again
        (tensor([0.5000]), ('met',), tensor([False]))
    """
    has_one = ~earlier.isnan()
    asked = torch.where(has_one, earlier.to(fitted.thresholds), fitted.thresholds)
    target, unknown = fitted.target, fitted.unknown
    then, now = tally_at(histogram, asked, unknown=unknown), fitted.tally
    # At the thresholds just fitted too: their verdict may rest on bounds.
    rank_then, rank_now = _rank(then, target), _rank(now, target)
    if target.is_best_f1:
        does = then.f1 >= ENOUGH * now.f1
    else:
        falls_back = (then.precision >= target.fallback_precision) & (then.f1 >= ENOUGH * now.f1)
        does = (rank_then >= rank_now) & ((rank_now > 0) | falls_back)
    silent_then, silent_now = asked == NEVER, fitted.thresholds == NEVER
    does = torch.where(silent_then | silent_now, silent_then & silent_now, does)
    stays = has_one & does
    thresholds = torch.where(stays, asked, fitted.thresholds)
    contract = replace(fitted, thresholds=thresholds, tally=tally_at(histogram, thresholds, unknown=unknown))
    return contract, has_one & ~stays & (asked != fitted.thresholds)


def _rank(tally: Tally, target: Target) -> Tensor:
    """Return 2 where the lower bounds meet the target, 1 where the estimates do, else 0; (labels,)."""
    certified, met = tally.counted & (tally.tagged > 0), tally.counted & (tally.tagged > 0)
    for wanted, trials in ((target.precision, tally.tagged), (target.recall, tally.positives)):
        if wanted is not None:
            met = met & (ratio(tally.found, trials) >= wanted)
            bound = wilson_lower_bound(tally.found, trials, confidence=target.confidence)
            certified = certified & (bound >= wanted)
    return met.int() + certified.int()
