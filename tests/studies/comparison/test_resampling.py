"""Weights, intervals, p-values and discoveries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.studies.comparison.resampling import discoveries, interval, p_values, photo_weights, seed_weights


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_first_set_of_weights_is_the_data_themselves():
    assert (photo_weights(5, resamples=3, rng=rng())[:, 0] == 1).all()
    assert seed_weights(4, resamples=3, rng=rng())[:, 0] == pytest.approx([0.25] * 4)


def test_weighted_means_vary_as_means_of_new_photos_would():
    values = rng().normal(size=200)
    weights = photo_weights(200, resamples=20_000, rng=rng())[:, 1:]
    means = (values[:, None] * weights).sum(axis=0) / weights.sum(axis=0)
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(200), rel=0.03)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_means_over_few_seeds_vary_as_much_as_they_should(seeds: int):
    values = rng().normal(size=seeds)
    shares = seed_weights(seeds, resamples=50_000, rng=rng())
    assert shares.sum(axis=0) == pytest.approx(1)
    means = values @ shares[:, 1:]
    # The unbiased estimate of the variance of a mean; drawing all seeds with replacement gives (n - 1) / n of it.
    assert means.var() == pytest.approx(values.var(ddof=1) / seeds, rel=0.03)


def test_one_seed_does_not_vary():
    assert (seed_weights(1, resamples=9, rng=rng()) == 1).all()


def test_the_interval_leaves_out_a_fortieth_on_either_side():
    low, high = interval(np.array([99.0, *range(41)]))
    assert (low.item(), high.item()) == pytest.approx((1, 39))


def test_p_values_are_never_nought_and_at_most_one():
    certain = np.array([5.0, *[1.0] * 999])
    assert p_values(certain).item() == 2 / 1000
    assert p_values(-certain).item() == 2 / 1000
    assert p_values(np.zeros(100)).item() == 1
    # 3 of 99 resamples are on the other side: twice (3 + 1) / (99 + 1).
    assert p_values(np.array([1.0, *[1.0] * 96, *[-1.0] * 3])).item() == 0.08


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.sampled_from([0.05, 0.1, 0.3]))
def test_discoveries_are_those_of_benjamini_and_hochberg(thousandths: list[int], rate: float):
    p = np.array(thousandths) / 1000
    # As the paper says it: the largest k with p_(k) <= k / m * rate; the k smallest are discoveries.
    in_order, ranks = np.sort(p), np.arange(1, len(p) + 1)
    good = in_order * len(p) <= ranks * rate + 1e-12
    cut = in_order[good][-1] if good.any() else -1.0
    assert (discoveries(p, rate=rate + 1e-12) == (p <= cut)).all()


def test_of_nothing_nothing_is_discovered():
    assert discoveries(np.array([]), rate=0.1).shape == (0,)
