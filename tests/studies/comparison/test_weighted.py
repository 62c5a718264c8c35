"""Average precision and precision at a recall under weights, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tagger.studies.comparison.weighted import steps


@st.composite
def labels(draw: st.DrawFn):
    """Draw scores with ties, who carries the label, what each photo counts for, and three sets of weights."""
    photos = draw(st.integers(2, 30))

    def lists(values: st.SearchStrategy) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=photos, max_size=photos)))

    scores = lists(st.integers(0, 8)) / 8
    present = lists(st.booleans())
    present[draw(st.integers(0, photos - 1))] = True
    counting = np.where(present, 1, lists(st.sampled_from([0.0, 0.25, 1.0])))
    weights = np.stack([lists(st.integers(1, 9)) / 4 for _ in range(3)], axis=1)
    return scores, present, counting, weights


@given(labels())
def test_average_precision_is_that_of_scikit_learn_with_sample_weights(label):
    scores, present, counting, weights = label
    found = steps(scores, present, counting, weights).average_precision()
    for number in range(3):
        expected = average_precision_score(present, scores, sample_weight=weights[:, number] * counting)
        assert found[number] == pytest.approx(expected, abs=1e-9)


@given(labels())
def test_a_photo_of_weight_two_counts_as_two_photos(label):
    scores, present, counting, _ = label
    twice = np.arange(len(scores)) % 2 + 1
    weighted = steps(scores, present, counting, twice[:, None].astype(float))
    repeated = [np.repeat(array, twice) for array in (scores, present, counting)]
    copied = steps(*repeated, np.ones((twice.sum(), 1)))
    assert weighted.average_precision() == pytest.approx(copied.average_precision())
    assert weighted.precision_at(0.5) == pytest.approx(copied.precision_at(0.5))


def test_precision_at_a_recall_by_hand():
    # Ranking: present, absent, present, absent, absent, present, absent, present.
    present = np.array([1, 0, 1, 0, 0, 1, 0, 1], dtype=bool)
    scores = np.linspace(0.9, 0.2, 8)
    label = steps(scores, present, np.ones(8), np.ones((8, 1)))
    # Recall 1/4 at the first photo, 2/4 at the third, 3/4 at the sixth, 4/4 at the eighth.
    assert label.precision_at(0.25).item() == 1
    assert label.precision_at(0.5).item() == pytest.approx(2 / 3)
    assert label.precision_at(0.75).item() == pytest.approx(3 / 6)
    assert label.precision_at(1.0).item() == pytest.approx(4 / 8)
    assert label.precision_at(0.1).item() == 1, "below the first step"
    assert label.precision_at(0.6).item() == pytest.approx(2 / 3 - 0.4 * (2 / 3 - 3 / 6)), "two fifths of the way"


def test_photos_whose_state_nobody_knows_count_as_much_as_was_said():
    scores, present = np.array([0.9, 0.8]), np.array([False, True])
    halves = steps(scores, present, np.array([0.5, 1.0]), np.ones((2, 1)))
    ignored = steps(scores, present, np.array([0.0, 1.0]), np.ones((2, 1)))
    assert halves.average_precision().item() == pytest.approx(1 / 1.5)
    assert ignored.average_precision().item() == 1


def test_a_label_that_no_photo_carries_is_refused():
    with pytest.raises(ValueError, match="no photo carries the label"):
        steps(np.array([0.5]), np.array([False]), np.ones(1), np.ones((1, 1)))
