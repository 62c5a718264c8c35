"""Labels that a photo nearly got."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tagger.tags.near import floor, near_labels

unit = st.floats(0, 1, width=32)


def test_a_label_is_near_from_half_of_its_threshold_on():
    scores = np.array([0.9, 0.2, 0.19, 0.5, 0.49], np.float32)
    given_ = np.array([True, False, False, False, False])
    assert near_labels(scores, given_, [0.4, 0.4, 0.4, 2.0, 2.0]) == [3, 1]


@given(rows=st.lists(st.tuples(unit, unit, st.booleans()), max_size=40), most=st.integers(1, 5))
def test_near_labels_are_the_best_of_those_that_were_not_given(rows: list[tuple[float, float, bool]], most: int):
    scores = np.array([score for score, _, _ in rows], np.float32)
    is_given = np.array([given_ for _, _, given_ in rows], bool)
    thresholds = [threshold for _, threshold, _ in rows]
    near = near_labels(scores, is_given, thresholds, most=most)
    could = [i for i, (score, threshold, given_) in enumerate(rows) if not given_ and score >= floor(threshold)]
    assert set(near) <= set(could)
    assert len(near) == min(most, len(could))
    assert scores[near].tolist() == sorted(scores[could].tolist(), reverse=True)[:most]
