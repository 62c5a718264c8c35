"""Folds of photos that were chosen for their labels: they train, and the others do not notice them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.data.assembly.grouping import deal_folds
from tagger.data.catalog import TEST_FOLD, TRAINING_FOLDS
from tagger.data.split import FREE, stratified_folds


def none_yet(photos: int) -> np.ndarray:
    return np.full(photos, FREE, dtype=np.int8)


def test_of_a_label_that_a_search_found_the_data_sets_own_photos_test():
    # Ten photos of the data set have the label, one a fold; a search found eighty more, ten for each training fold.
    states = csr_array(np.ones((90, 1), dtype=np.int8))
    chosen = np.arange(90) >= 10
    folds = deal_folds(states, np.arange(90), none_yet(90), chosen=chosen)
    assert sorted(folds[:10].tolist()) == list(range(10))
    assert np.bincount(folds[10:], minlength=10).tolist() == [0, 0, *[10] * 8]


def test_photos_that_come_later_are_dealt_as_if_nothing_had_been_found():
    # Eighty found photos in the training folds must not drive the next ten, two a fold by then, out of training.
    states = csr_array(np.ones((100, 1), dtype=np.int8))
    chosen = (np.arange(100) >= 10) & (np.arange(100) < 90)
    before = deal_folds(states[:90], np.arange(90), none_yet(90), chosen=chosen[:90])
    folds = deal_folds(states, np.arange(100), np.append(before, none_yet(10)), chosen=chosen)
    assert (folds[:90] == before).all()
    assert sorted(folds[90:].tolist()) == list(range(10))


def test_a_found_photo_follows_its_group_into_the_test_fold():
    # The first and the last are alike; the last but one is like a new photo of the data set.
    states, groups = csr_array((5, 1), dtype=np.int8), np.array([0, 1, 2, 2, 0])
    existing = np.array([TEST_FOLD, 4, FREE, FREE, FREE], dtype=np.int8)
    chosen = np.array([False, False, False, True, True])
    folds = deal_folds(states, groups, existing, chosen=chosen)
    assert folds[4] == TEST_FOLD
    assert folds[3] == folds[2]


def test_a_photo_that_looks_like_a_found_one_follows_it():
    # No leak the other way round: the found one trains already.
    states = csr_array((3, 1), dtype=np.int8)
    folds = deal_folds(
        states, np.array([0, 0, 2]), np.array([5, FREE, FREE], dtype=np.int8), chosen=np.array([True, False, False])
    )
    assert folds[:2].tolist() == [5, 5]


def test_found_photos_that_were_published_as_a_test_set_train_all_the_same():
    states, everything = csr_array((4, 1), dtype=np.int8), np.ones(4, dtype=bool)
    chosen = np.array([False, False, True, True])
    folds = deal_folds(states, np.arange(4), none_yet(4), published=everything, chosen=chosen)
    assert folds[:2].tolist() == [TEST_FOLD, TEST_FOLD]
    assert set(folds[2:].tolist()) <= set(TRAINING_FOLDS)


@settings(deadline=None)
@given(
    photos=st.lists(st.tuples(st.integers(0, 15), st.booleans(), st.integers(0, 7)), min_size=1, max_size=60),
    seen=st.integers(0, 60),
)
def test_no_group_is_split_and_only_the_group_of_another_photo_takes_a_found_one_out_of_training(photos, seen):
    groups, chosen, labels = (np.array(column) for column in zip(*photos, strict=True))
    dense = (labels[:, None] >> np.arange(3)) & 1
    states = csr_array(dense.astype(np.int8))
    # Some of them are in the catalog already.
    first = deal_folds(states[:seen], groups[:seen], none_yet(len(groups[:seen])), chosen=chosen[:seen])
    folds = deal_folds(states, groups, np.append(first, none_yet(len(groups) - len(first))), chosen=chosen)
    assert (folds[: len(first)] == first).all()
    for group in np.unique(groups):
        own = groups == group
        assert len(set(folds[own].tolist())) == 1
        if chosen[own].all():
            assert folds[own][0] in TRAINING_FOLDS
    if not seen:
        others = stratified_folds(states[~chosen], groups=groups[~chosen], seed=0)
        assert (folds[~chosen] == others).all()
