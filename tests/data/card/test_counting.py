"""What the data card counts: states by source, folds, groups, shared photos."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from tagger.data.card.balance import fold_balance, unavoidable
from tagger.data.card.counts import count_states, members_of
from tagger.data.card.twins import groups_of, shared_photos


def test_a_photo_of_two_sources_is_counted_for_both():
    states = csr_array(np.array([[1, 0], [-1, 1], [0, 0]], dtype=np.int8))
    # The first source has photos 0 and 1, the second 1 and 2.
    members = members_of(np.array([0, 0, 1, 1]), sets=2, photo=np.array([0, 1, 1, 2]), photos=3)
    counts = count_states(states, members)
    assert counts.photos.tolist() == [2, 2]
    assert counts.present.tolist() == [[1, 1], [0, 1]]
    assert counts.absent.tolist() == [[1, 0], [1, 0]]
    assert counts.unknown.tolist() == [[0, 1], [1, 1]]


def test_a_photo_that_a_source_lists_twice_is_counted_once():
    members = members_of(np.array([0, 0]), sets=1, photo=np.array([0, 0]), photos=1)
    assert count_states(csr_array(np.ones((1, 1), dtype=np.int8)), members).present.tolist() == [[1]]


@given(
    states=arrays(np.int8, (12, 3), elements=st.sampled_from([-1, 0, 1])),
    sets=arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_counts_agree_with_counting_photo_by_photo(states: np.ndarray, sets: np.ndarray):
    counts = count_states(csr_array(states), members_of(sets, sets=4))
    for number in range(4):
        for label in range(3):
            some = [states[photo, label] for photo in range(12) if sets[photo] == number]
            assert counts.present[number, label] == some.count(1)
            assert counts.absent[number, label] == some.count(-1)
            assert counts.unknown[number, label] == some.count(0)


def test_a_label_with_all_its_photos_in_one_fold_is_off_by_nine_tenths():
    states = csr_array(np.ones((20, 2), dtype=np.int8))
    states[:, [1]] = 0
    balance = fold_balance(csr_array(states), np.full(20, 3))
    assert balance.deviation[0] == pytest.approx(0.9)
    # Twenty photos could have been two in every fold.
    assert balance.excess[0] == pytest.approx(0.9)
    assert np.isnan(balance.deviation[1])
    assert balance.worst_first.tolist() == [0]


def test_what_whole_photos_do_not_allow_is_not_held_against_a_label():
    # Three photos in three folds: no fold can have three tenths of a photo.
    balance = fold_balance(csr_array(np.ones((3, 1), dtype=np.int8)), np.array([0, 4, 9]))
    assert balance.deviation[0] == pytest.approx(1 / 3 - 0.1)
    assert balance.excess[0] == pytest.approx(0)
    assert balance.worst_first.tolist() == []


@given(photos=st.integers(1, 60))
def test_no_way_to_deal_photos_deviates_less_than_is_unavoidable(photos: int):
    dealt = np.bincount(np.arange(photos) % 10, minlength=10) / photos
    assert unavoidable(np.array([photos]))[0] == pytest.approx(np.abs(dealt - 0.1).max())


def test_groups_are_the_photos_that_share_a_first_photo_the_largest_first():
    groups = groups_of(np.array([0, 1, 1, 0, 0, 5]))
    assert groups.first.tolist() == [0, 1]
    assert groups.sizes.tolist() == [3, 2]
    assert len(groups_of(np.arange(4))) == 0


def test_shared_photos_are_counted_for_every_two_sources():
    members = csr_array(np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]], dtype=bool))
    assert [(pair.first, pair.second, pair.photos) for pair in shared_photos(members, ["a", "b", "c"])] == [
        ("a", "b", 2)
    ]
