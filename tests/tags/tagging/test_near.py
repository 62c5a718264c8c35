"""Labels that a photo nearly got."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tagger.tags.profiles.profile import Profile
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.near import floor, floors, near_labels, offered

unit = st.floats(0, 1, width=32)


def test_a_label_is_near_from_half_of_its_threshold_on():
    scores = np.array([0.9, 0.2, 0.19, 0.5, 0.49], np.float32)
    given_ = np.array([True, False, False, False, False])
    assert near_labels(scores, given_, np.array([floor(t) for t in (0.4, 0.4, 0.4, 2.0, 2.0)])) == [3, 1]


@given(rows=st.lists(st.tuples(unit, unit, st.booleans()), max_size=40), most=st.integers(1, 5))
def test_near_labels_are_the_best_of_those_that_were_not_given(rows: list[tuple[float, float, bool]], most: int):
    scores = np.array([score for score, _, _ in rows], np.float32)
    is_given = np.array([given_ for _, _, given_ in rows], bool)
    near = near_labels(scores, is_given, np.array([from_ for _, from_, _ in rows], np.float64), most=most)
    could = [i for i, (score, from_, given_) in enumerate(rows) if not given_ and score >= from_]
    assert set(near) <= set(could)
    assert len(near) == min(most, len(could))
    assert scores[near].tolist() == sorted(scores[could].tolist(), reverse=True)[:most]


def test_a_label_that_a_profile_leaves_out_is_never_near(delivered: Path):
    tagger = Tagger.load(delivered / "album.tagger", profile=Profile(labels=("red", "grey")))
    assert list(offered(tagger)) == ["red", "grey"]
    # Grey is never given by this bundle; whoever looks at the page may want it.
    assert floors(tagger).tolist() == [np.float32(0.4) / 2, np.inf, np.inf, 0.5]
