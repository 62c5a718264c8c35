"""Thresholds of a model that was extended are fitted again only where they no longer do."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.tags.histogram import Histogram
from tagger.tags.kept_thresholds import ENOUGH, kept
from tagger.tags.metrics import tally_at
from tagger.tags.thresholds import NEVER, Target, fit

BOTH = Target(precision=0.9, recall=0.5)
NAN = float("nan")


def column(scores: list[float], present: int) -> Histogram:
    """Return the histogram of a label that the first photos carry."""
    states = torch.where(torch.arange(len(scores)) < present, 1, -1)
    return Histogram.of(torch.tensor(scores)[:, None], states[:, None])


def test_a_threshold_that_does_stays_though_another_would_be_better():
    # From 0.65 three of three are found and right, from 0.75 two of three: the target is met by both.
    histogram = column([0.9, 0.8, 0.7, 0.2], present=3)
    fitted = fit(histogram, BOTH, unknown="ignore")
    assert 0.69 < fitted.thresholds.item() <= 0.7
    contract, again = kept(fitted, histogram, torch.tensor([0.75]))
    assert contract.thresholds.item() == 0.75
    assert contract.tally.recall.item() == pytest.approx(2 / 3)
    assert not again


def test_a_threshold_that_breaks_its_promise_is_fitted_again():
    histogram = column([0.9, 0.8, 0.7, 0.6], present=3)
    fitted = fit(histogram, BOTH, unknown="ignore")
    for earlier in (0.55, 0.85):
        # Three of four are right; one of three is found.
        contract, again = kept(fitted, histogram, torch.tensor([earlier]))
        assert contract.thresholds.item() == fitted.thresholds.item()
        assert again


def test_an_estimate_does_not_replace_a_bound():
    # 40 of 40 are certified; 40 of 44 are an estimate above 0.9 whose bound is below.
    scores = [0.9] * 36 + [0.5] * 4 + [0.4] * 4
    histogram = column(scores, present=40)
    fitted = fit(histogram, Target(precision=0.9), unknown="ignore")
    assert fitted.verdicts == ("certified",)
    contract, again = kept(fitted, histogram, torch.tensor([0.3]))
    assert contract.tally.precision.item() == pytest.approx(1.0)
    assert again


def test_where_the_target_is_out_of_reach_a_threshold_stays_while_its_f1_is_nearly_the_best():
    histogram = column([0.9, 0.6, 0.5, 0.8, 0.3, 0.2], present=3)
    fitted = fit(histogram, Target(precision=0.9, recall=0.9), unknown="ignore")
    assert fitted.verdicts == ("unreachable",)
    best = fitted.tally.f1.item()
    for earlier in (0.25, 0.4, 0.55, 0.7, 0.85):
        f1 = tally_at(histogram, torch.tensor([earlier]), unknown="ignore").f1.item()
        _, again = kept(fitted, histogram, torch.tensor([earlier]))
        assert again == (f1 < ENOUGH * best)


@pytest.mark.parametrize(("present", "stays"), [(0, True), (3, False)])
def test_a_silent_label_speaks_as_soon_as_there_is_a_threshold_for_it(present: int, stays: bool):
    histogram = column([0.9, 0.8, 0.7, 0.2], present=present)
    fitted = fit(histogram, BOTH, unknown="ignore")
    contract, again = kept(fitted, histogram, torch.tensor([NEVER]))
    assert bool(again) is not stays
    assert (contract.thresholds.item() == NEVER) is stays


def test_a_label_that_nobody_can_judge_any_more_falls_silent():
    histogram = column([0.9, 0.8], present=0)
    contract, again = kept(fit(histogram, BOTH, unknown="ignore"), histogram, torch.tensor([0.5]))
    assert contract.thresholds.item() == NEVER
    assert contract.fallbacks == ("silence",)
    assert again


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    rng = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    photos = draw(st.integers(2, 60))
    return Histogram.of(torch.rand(photos, 5, generator=rng), torch.randint(-1, 2, (photos, 5), generator=rng))


TARGETS = st.sampled_from([BOTH, Target(), Target(precision=0.6), Target(recall=0.8, fallback="silence")])


@given(histogram=histograms(), target=TARGETS, seed=st.integers(0, 1000))
def test_what_is_promised_is_what_a_new_fit_promises(histogram: Histogram, target: Target, seed: int):
    fitted = fit(histogram, target, unknown=0.5)
    earlier: Tensor = torch.rand(5, generator=torch.Generator().manual_seed(seed))
    earlier[0] = NAN
    contract, again = kept(fitted, histogram, earlier)
    assert contract.verdicts == fitted.verdicts
    for point in contract.points():
        if point.verdict == "met":
            assert target.precision is None or (point.precision or 0) >= target.precision
            assert target.recall is None or (point.recall or 0) >= target.recall
        assert (point.fallback == "silence") == (point.threshold == NEVER)
    assert contract.thresholds[0] == fitted.thresholds[0]
    assert not again[0]


@given(histogram=histograms(), target=TARGETS)
def test_its_own_thresholds_stay(histogram: Histogram, target: Target):
    fitted = fit(histogram, target, unknown="negative")
    contract, again = kept(fitted, histogram, fitted.thresholds)
    assert torch.equal(contract.thresholds, fitted.thresholds)
    assert not again.any()
