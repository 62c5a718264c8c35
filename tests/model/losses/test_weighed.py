"""Label-level replication: what the photo's factor gives beyond a label's own is taken back."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from tagger.data.replication import Replication, plan
from tagger.model.losses import BinaryCrossEntropy, ByReplication, WeighedLoss

STATES = arrays(np.int8, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.sampled_from([-1, 1]))


def test_worked_example():
    # The first photo is drawn 4 times for its rare label: 4 draws of weight 1/4 for the frequent one beside it.
    by = ByReplication(np.array([1.0, 4.0]), pooling="max", mean=1.0)
    assert by(torch.tensor([[1.0, 1.0], [1.0, 0.0]])).tolist() == [[1 / 4, 1], [1, 1]]
    # Drawn by the sum, 5 times: the rare label is owed 4 of them.
    by = ByReplication(np.array([1.0, 4.0]), pooling="sum", mean=1.0)
    assert by(torch.tensor([[1.0, 1.0]]))[0].tolist() == pytest.approx([1 / 5, 4 / 5])


@pytest.mark.parametrize("pooling", ["max", "sum"])
@given(dense=STATES, target=st.floats(0.05, 1), phi=st.sampled_from(["natural", "sqrt", "uniform"]))
def test_in_expectation_each_label_counts_as_if_it_alone_were_replicated(
    pooling: str, dense: np.ndarray, target: float, phi: str
):
    sampler = Replication(phi, target_frequency=target, pooling=pooling, level="labels")
    states = csr_array(dense)
    factors, by_label = sampler.factors(states, unknown=1.0), sampler.label_factors(states, unknown=1.0)
    present = dense == 1
    by = ByReplication(by_label, pooling=pooling, mean=factors.mean())
    # An epoch of as many draws as photos draws each photo factor / mean times.
    counted = (factors / factors.mean())[:, None] * by(torch.from_numpy(present).float()).numpy()
    np.testing.assert_allclose(counted, np.where(present, by_label, 1), rtol=1e-5)
    # And that is what the plan says.
    weighed = (counted * present).sum(axis=0) / counted.sum(axis=0)
    np.testing.assert_allclose(plan(states, sampler, unknown=1.0).effective_frequencies, weighed, rtol=1e-5)


def test_what_is_unknown_keeps_its_share_of_the_weight():
    loss = WeighedLoss(BinaryCrossEntropy(), ByReplication(np.array([1.0, 4.0]), pooling="max", mean=2.0))
    logits, targets = torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    silent, whole = (loss(logits, targets, torch.tensor([[weight, 0.0]])).item() for weight in (0.25, 1.0))
    assert silent == pytest.approx(whole / 4)
