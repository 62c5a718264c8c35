"""Lift: how many times as often as by chance two labels come together."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from tagger.data.card.lift import Lifts, lifts, side_by_side, strongest_pairs


def test_labels_that_always_come_together_on_a_quarter_of_the_photos_have_lift_four():
    states = np.full((8, 2), -1, dtype=np.int8)
    states[:2] = 1
    found = lifts(csr_array(states), np.zeros(8), np.zeros(8))
    assert found.lift[0, 1] == pytest.approx(4)
    assert found.together[0, 1] == 2


def test_silence_that_means_absent_is_counted_as_absent():
    states = np.array([[1, 1], [1, 1], [0, 0], [0, 0]], dtype=np.int8)
    counted = lifts(csr_array(states), np.ones(4), np.zeros(4))
    assert counted.lift[0, 1] == pytest.approx(2)
    # Where unknown weighs nothing only the two photos that carry both are known, and nothing is more than by chance.
    ignored = lifts(csr_array(states), np.zeros(4), np.zeros(4))
    assert ignored.lift[0, 1] == pytest.approx(1)


def test_labels_that_are_only_common_in_the_same_source_do_not_come_together():
    # In each source the labels are independent; the first source has both often, the second hardly.
    often, rarely = [[1, 1]] * 4 + [[1, -1]] * 4 + [[-1, 1]] * 4 + [[-1, -1]] * 4, [[-1, -1]] * 64
    states = csr_array(np.array(often + rarely, dtype=np.int8))
    source = np.array([0] * 16 + [1] * 64)
    assert lifts(states, np.zeros(80), source).lift[0, 1] == pytest.approx(1)
    assert lifts(states, np.zeros(80), np.zeros(80)).lift[0, 1] == pytest.approx(5)


def test_a_source_that_never_says_absent_makes_nothing_come_together():
    # One source lists tables where it sees them and is silent elsewhere; cats it looks for everywhere.
    talkative = [[1, 1]] * 3 + [[0, 1]] * 3 + [[0, -1]] * 6
    other = [[-1, -1]] * 20
    states = csr_array(np.array(talkative + other, dtype=np.int8))
    found = lifts(states, np.zeros(32), np.array([0] * 12 + [1] * 20))
    assert found.lift[0, 1] == pytest.approx(1)


def test_nothing_is_said_about_labels_that_no_photo_knows_both_of():
    states = csr_array(np.array([[1, 0], [0, 1]], dtype=np.int8))
    assert math.isnan(lifts(states, np.zeros(2), np.zeros(2)).lift[0, 1])
    assert lifts(csr_array((0, 2), dtype=np.int8), np.zeros(0), np.zeros(0)).together.tolist() == [[0, 0], [0, 0]]


@given(
    states=arrays(np.int8, (14, 4), elements=st.sampled_from([-1, 0, 1])),
    unknown_weight=arrays(np.float64, 14, elements=st.sampled_from([0.0, 0.25, 1.0])),
    source=arrays(np.int64, 14, elements=st.integers(0, 2)),
)
def test_lift_agrees_with_a_plain_loop(states: np.ndarray, unknown_weight: np.ndarray, source: np.ndarray):
    found = lifts(csr_array(states), unknown_weight, source, block=3)
    for first, second in itertools.product(range(4), repeat=2):
        together = chance = 0.0
        for one in range(3):
            both = with_first = with_second = 0.0
            for photo in np.flatnonzero(source == one):
                a, b = states[photo, first], states[photo, second]
                known_a, known_b = (1.0 if state else unknown_weight[photo] for state in (a, b))
                together += (a == 1) * (b == 1)
                both += known_a * known_b
                with_first += (a == 1) * known_b
                with_second += known_a * (b == 1)
            chance += with_first * with_second / both if both else 0.0
        expected = together / chance if chance else math.nan
        assert found.lift[first, second] == pytest.approx(expected, nan_ok=True)
        assert found.together[first, second] == together


def test_pairs_are_listed_once_by_lift_if_enough_photos_carry_both_and_neither_follows():
    lift = np.array([[9, 8, 5, 4.0], [8, 9, 7, 0.5], [5, 7, 9, 6], [4, 0.5, 6, 9]])
    together = np.full((4, 4), 5)
    together[0, 2] = together[2, 0] = 4
    follows = np.eye(4, dtype=bool)
    follows[1, 0] = True
    pairs = strongest_pairs(Lifts(lift, together), follows)
    assert [(pair.first, pair.second, pair.lift) for pair in pairs] == [(1, 2, 7.0), (2, 3, 6.0), (0, 3, 4.0)]
    assert strongest_pairs(Lifts(lift, together), follows, count=1) == pairs[:1]


def test_labels_of_one_pair_stand_side_by_side():
    lift = np.ones((6, 6))
    for first, second in [(0, 5), (1, 4), (2, 3)]:
        lift[first, second] = lift[second, first] = 3
    pairs = strongest_pairs(Lifts(lift, np.full((6, 6), 9)), np.eye(6, dtype=bool))
    order = side_by_side(pairs)
    assert sorted(order) == list(range(6))
    assert all(abs(order.index(pair.first) - order.index(pair.second)) == 1 for pair in pairs)
    assert side_by_side([]) == []
