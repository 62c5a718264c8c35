import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from tagger.data.label_counts import label_counts

STATES = arrays(np.int8, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.sampled_from([-1, 0, 1]))


@given(dense=STATES, unknown=st.floats(0, 1))
def test_what_is_unknown_counts_as_absent_by_its_weight(dense: np.ndarray, unknown: float):
    counts = label_counts(csr_array(dense), unknown=unknown)
    np.testing.assert_allclose(counts.present, (dense == 1).sum(axis=0))
    # The weights are summed, then subtracted: a last digit may be left of nothing.
    np.testing.assert_allclose(
        counts.absent, (dense == -1).sum(axis=0) + unknown * (dense == 0).sum(axis=0), atol=1e-12
    )
    assert (counts.absent >= 0).all()


def test_each_photo_may_say_what_its_silence_weighs():
    dense = np.array([[0, 1], [0, 0], [-1, 0]], dtype=np.int8)
    counts = label_counts(csr_array(dense), unknown=np.array([0.5, 0.25, 0.0]))
    assert counts.present.tolist() == [0, 1]
    assert counts.absent.tolist() == [1.75, 0.25]
    assert counts.frequencies.tolist() == [0, 0.8]
