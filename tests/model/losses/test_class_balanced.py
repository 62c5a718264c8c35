"""Class-balanced weights, against the paper's formula."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.label_counts import LabelCounts
from tagger.model.losses import BinaryCrossEntropy, ClassBalanced, FocalLoss, effective_number


@given(number=st.integers(1, 3000), beta=st.floats(0, 0.999))
def test_the_effective_number_is_the_sum_of_a_geometric_series(number: int, beta: float):
    # Proposition 1 of Cui et al. 2019: E(n) = 1 + beta + … + beta^(n - 1).
    expected = sum(beta**power for power in range(number))
    assert effective_number(np.array([number]), beta=beta)[0] == pytest.approx(expected)


def test_towards_one_every_example_is_new_and_at_zero_only_the_first():
    numbers = np.array([1.0, 30.0, 4000.0])
    assert effective_number(numbers, beta=1 - 1e-12) == pytest.approx(numbers, rel=1e-6)
    assert effective_number(numbers, beta=0).tolist() == [1, 1, 1]


def test_worked_example():
    # beta 1/2: E(1) = 1, E(2) = 3/2; the weights of present and absent stand 3 to 2 and add up to 2.
    loss = ClassBalanced(loss=BinaryCrossEntropy(), beta=0.5).of(LabelCounts(np.array([1.0]), np.array([2.0])))
    assert loss.weigh(torch.tensor([[1.0], [0.0]])).flatten().tolist() == pytest.approx([6 / 5, 4 / 5])


@given(
    present=st.lists(st.floats(0, 5000), min_size=1, max_size=6),
    photos=st.floats(5000, 10_000),
    beta=st.sampled_from([0.0, 0.9, 0.999, 0.9999]),
)
def test_the_weights_of_a_label_add_up_to_the_number_of_classes(present: list[float], photos: float, beta: float):
    counts = LabelCounts(np.array(present), photos - np.array(present))
    weigh = ClassBalanced(loss=FocalLoss(), beta=beta).of(counts).weigh
    one = torch.ones(1, len(present))
    total = weigh(one) + weigh(0 * one)
    assert total[0].tolist() == pytest.approx([2] * len(present), rel=1e-5)
    assert (weigh(one) > 0).all()


@pytest.mark.parametrize("inner", [BinaryCrossEntropy(), FocalLoss(gamma=1.5)])
def test_without_overlap_of_examples_nothing_is_weighed(inner: torch.nn.Module):
    loss = ClassBalanced(loss=inner, beta=0).of(LabelCounts(np.array([1.0, 90.0]), np.array([99.0, 10.0])))
    logits, targets = torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, 0.0]])
    weights = torch.tensor([[1.0, 0.25]])
    assert torch.equal(loss(logits, targets, weights), inner(logits, targets, weights))


def test_a_rare_label_counts_most_where_it_is_present_and_unknown_weights_stay():
    counts = LabelCounts(np.array([1.0, 50.0]), np.array([99.0, 50.0]))
    loss = ClassBalanced(loss=BinaryCrossEntropy(), beta=0.9999).of(counts)
    present, absent = loss.weigh(torch.ones(1, 2))[0], loss.weigh(torch.zeros(1, 2))[0]
    assert present[0] > 1.9 > absent[0]
    assert present[1].item() == pytest.approx(1)
    logits, targets = torch.zeros(1, 2), torch.tensor([[0.0, 0.0]])
    whole = loss(logits, targets, torch.tensor([[1.0, 0.0]]))
    assert loss(logits, targets, torch.tensor([[0.25, 0.0]])).item() == pytest.approx(whole.item() / 4)
