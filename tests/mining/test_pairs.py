"""How often labels meet: counted by hand, pair by pair, and against the formulas of others."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array
from scipy.stats import chi2_contingency

from tagger.mining.relations.measures import chance, correlation, ratio, share
from tagger.mining.relations.pairs import Pairs, count_pairs

STATES = arrays(np.int8, st.tuples(st.integers(1, 12), st.just(4)), elements=st.sampled_from([-1, 0, 1]))
WEIGHTS = st.sampled_from([0.0, 0.25, 1.0])


def counted(states: np.ndarray, unknown: float | np.ndarray = 0.0, **settings: np.ndarray) -> Pairs:
    return count_pairs(csr_array(states.astype(np.int8)), unknown=unknown, **settings)


def known(rows: dict[tuple[int, int], int]) -> np.ndarray:
    """Return states of two labels, so many photos of each kind."""
    return np.repeat(np.array(list(rows)), list(rows.values()), axis=0)


@given(STATES, WEIGHTS)
def test_every_pair_is_counted_as_one_would_by_hand(states: np.ndarray, weight: float):
    pairs = counted(states, weight)
    negative = np.where(states == -1, 1.0, np.where(states == 0, weight, 0.0))
    present = (states == 1).astype(float)
    deniable = negative.sum(axis=0) > 0 if weight == 0 else np.ones(4, dtype=bool)
    for a, b in product(range(4), range(4)):
        counts = deniable[a] and deniable[b]
        assert pairs.both[a, b] == pytest.approx(counts * (present[:, a] @ present[:, b]))
        assert pairs.denied[a, b] == pytest.approx(counts * (present[:, a] @ (states[:, b] == -1)))
        if a != b:
            assert pairs.only[a, b] == pytest.approx(counts * (present[:, a] @ negative[:, b]))
            assert pairs.neither[a, b] == pytest.approx(counts * (negative[:, a] @ negative[:, b]))


@given(STATES, WEIGHTS)
def test_photos_that_count_twice_are_two_photos(states: np.ndarray, weight: float):
    twice, doubled = counted(np.concatenate([states, states]), weight), np.full(len(states), 2.0)
    for name in ("both", "only", "denied", "neither"):
        of_one = getattr(counted(states, weight, factors=doubled), name)
        np.testing.assert_allclose(of_one, getattr(twice, name), atol=1e-9)


def test_sources_of_which_each_shows_nothing_show_nothing_together():
    # In both sources the labels have nothing to do with each other; the first one has more of both.
    first = known({(1, 1): 81, (1, -1): 9, (-1, 1): 9, (-1, -1): 1})
    second = known({(1, 1): 1, (1, -1): 9, (-1, 1): 9, (-1, -1): 81})
    states, sources = np.concatenate([first, second]), np.repeat([0, 1], 100)
    mixed, apart = counted(states), counted(states, sources=sources)
    assert mixed.both[0, 1] == apart.both[0, 1] == 82
    assert mixed.expected[0, 1] == pytest.approx(50)
    assert apart.expected[0, 1] == pytest.approx(82)


def test_a_source_that_never_says_what_is_absent_tells_nothing_of_pairs():
    said = known({(1, 1): 5, (1, -1): 2, (-1, -1): 3})
    keywords = known({(1, 1): 50, (1, 0): 20})
    alone = counted(said)
    together = counted(np.concatenate([said, keywords]), sources=np.repeat([0, 1], [10, 70]))
    np.testing.assert_array_equal(alone.both, together.both)
    assert counted(keywords).photos[0, 1] == 0


def test_the_weights_of_two_kinds_of_photos_do_not_mix():
    states = known({(1, 1): 4, (1, 0): 6})
    pairs = counted(states, np.array([0.5] * 7 + [1.0] * 3))
    assert pairs.only[0, 1] == 3 * 0.5 + 3 * 1.0


@given(st.tuples(*[st.integers(1, 40)] * 4))
def test_what_may_be_chance_is_what_pearson_and_yates_say_of_one_source(cells: tuple[int, int, int, int]):
    pairs = counted(known(dict(zip(product((1, -1), (1, -1)), cells, strict=True))))
    seen, expected, variance = pairs.both[0, 1], pairs.expected[0, 1], pairs.variance[0, 1]
    table = np.array(cells).reshape(2, 2)
    photos = table.sum()
    statistic = np.maximum(abs(seen - expected) - 0.5, 0) ** 2 / variance
    theirs = chi2_contingency(table, correction=True)
    assert expected == pytest.approx(theirs.expected_freq[0, 0])
    # Where the difference is less than a half, scipy corrects by the difference, and we do.
    assert statistic == pytest.approx(theirs.statistic * (photos - 1) / photos, abs=1e-9)
    if theirs.statistic > 0:
        assert 0 < float(chance(seen, expected, variance)) <= 1


@given(st.tuples(*[st.integers(1, 40)] * 4))
def test_phi_is_the_correlation_of_the_two_columns(cells: tuple[int, int, int, int]):
    states = known(dict(zip(product((1, -1), (1, -1)), cells, strict=True)))
    pairs = counted(states)
    value, low, high = correlation(pairs.both, pairs.expected, pairs.variance, pairs.photos)
    assert value[0, 1] == pytest.approx(np.corrcoef(states.T)[0, 1], abs=1e-9)
    assert low[0, 1] <= value[0, 1] <= high[0, 1]


def test_bounds_hold_the_truth_in_nineteen_of_twenty_draws():
    rng = np.random.default_rng(0)
    right = rng.binomial(60, 0.85, size=4000).astype(float)
    _, low, high = share(right, 60 - right)
    assert (low <= 0.85).mean() == pytest.approx(0.95, abs=0.02)
    assert (high >= 0.85).mean() == pytest.approx(0.95, abs=0.02)
    seen = rng.poisson(20, size=4000).astype(float)
    _, low, high = ratio(seen, np.full(4000, 10.0))
    # Exact of whole counts, and never promises too much.
    assert 0.95 <= (low <= 2).mean() < 0.975
    assert 0.95 <= (high >= 2).mean() < 0.975


def test_of_nothing_nothing_is_said():
    value, low, high = share(np.zeros(1), np.zeros(1))
    assert np.isnan(value) and (low, high) == (0, 1)
    value, low, high = ratio(np.zeros(1), np.zeros(1))
    assert np.isnan(value) and low == 0 and np.isinf(high)
    assert chance(np.ones(1), np.ones(1), np.zeros(1)) == 1
