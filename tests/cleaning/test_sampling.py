"""What is drawn to be looked at: at random, half of it present, nothing twice and nothing that somebody decided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.cleaning.queue.sampling import Places, asked_again, sampled

NOBODY = csr_array((100, 20), dtype=np.int8)


def pairs(drawn: Places) -> list[tuple[int, int]]:
    return list(zip(*(column.tolist() for column in drawn), strict=True))


@pytest.fixture
def states() -> csr_array:
    """100 photos, 20 labels: a tenth present, a tenth absent, the rest unknown."""
    rng = np.random.default_rng(0)
    return csr_array(rng.choice([1, -1, 0], p=[0.1, 0.1, 0.8], size=(100, 20)).astype(np.int8))


@given(
    st.integers(0, 300),
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 5)), max_size=80),
)
def test_laws_of_the_draw(count: int, seed: int, said: list[tuple[int, int]]):
    rng = np.random.default_rng(seed)
    dense = rng.choice([1, -1, 0], p=[0.2, 0.2, 0.6], size=(30, 6)).astype(np.int8)
    rows, unknown = np.arange(3, 30, 3), rng.choice([0.0, 0.3, 1.0], size=9)
    closed = np.zeros_like(dense)
    for pair in said:
        closed[pair] = 1
    drawn = pairs(sampled(csr_array(dense), rows, count=count, unknown=unknown, closed=csr_array(closed), seed=seed))
    weight = dict(zip(rows.tolist(), unknown.tolist(), strict=True))
    able = {
        (row, label)
        for row in rows.tolist()
        for label in range(6)
        if (dense[row, label] or weight[row]) and (row, label) not in said
    }
    assert len(set(drawn)) == len(drawn) == min(count, len(able))
    assert set(drawn) <= able
    present = sum(dense[pair] == 1 for pair in drawn)
    there = sum(dense[pair] == 1 for pair in able)
    assert present >= min(there, count // 2)
    assert len(drawn) - present >= min(len(able) - there, count // 2)


def test_half_is_present_and_the_order_is_random(states: csr_array):
    drawn = pairs(sampled(states, np.arange(50), count=60, unknown=np.ones(50), closed=NOBODY))
    is_present = [states.toarray()[pair] == 1 for pair in drawn]
    assert sum(is_present) == 30
    assert 5 < sum(is_present[:30]) < 25, "who answers the first thirty has looked at both kinds"


def test_another_seed_draws_other_pairs_and_the_same_seed_the_same(states: csr_array):
    first, again, other = (
        pairs(sampled(states, np.arange(50), count=60, unknown=np.ones(50), closed=NOBODY, seed=seed))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_every_pair_is_as_likely(states: csr_array):
    """Chi-squared would say the same: 200 draws of 20 of the present ones, each pair's count binomial."""
    rows, times = np.arange(100), np.zeros((100, 20))
    for seed in range(200):
        np.add.at(times, sampled(states, rows, count=40, unknown=np.ones(100), closed=NOBODY, seed=seed), 1)
    present = times[states.toarray() == 1]
    p = 20 / len(present)
    assert abs(present.mean() - 200 * p) < 1e-9
    assert 0.75 < present.var() / (200 * p * (1 - p)) < 1.25


def test_pairs_asked_again_are_those_of_one_person():
    decided = (np.array([1, 1, 2, 3, 4]), np.array([0, 0, 0, 1, 1]))
    assert sorted(pairs(asked_again(decided, count=10))) == [(2, 0), (3, 1), (4, 1)]
    assert len(pairs(asked_again(decided, count=2))) == 2
    assert pairs(asked_again((np.array([], dtype=int), np.array([], dtype=int)), count=5)) == []
    assert {pairs(asked_again(decided, count=1, seed=seed))[0] for seed in range(20)} == {(2, 0), (3, 1), (4, 1)}
