"""Distribution-balanced loss: against the paper's formulas, written element by element."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.data.label_counts import LabelCounts
from tagger.model.losses import BinaryCrossEntropy, DistributionBalanced
from tagger.model.losses.distribution_balanced import DistributionBalancedLoss

Batch = tuple[Tensor, Tensor, Tensor, LabelCounts]


def random_batch(seed: int, *, batch: int = 5, labels: int = 6, photos: int = 200) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(batch, labels, generator=rng, dtype=torch.float64)
    targets = (torch.rand(batch, labels, generator=rng) < 0.4).double()
    weights = torch.rand(batch, labels, generator=rng, dtype=torch.float64)
    present = torch.randint(1, photos, (labels,), generator=rng).numpy().astype(np.float64)
    return logits, targets, weights, LabelCounts(present, photos - present)


def papers_value(batch: Batch, settings: DistributionBalanced) -> float:
    """Wu et al. 2020: sections 3.2 (r from P^C / P^I) and 3.3 (nu, lambda), and the focal factor of Lin et al. 2017."""
    logits, targets, weights, counts = batch
    photos, labels = logits.shape
    terms = []
    for k in range(photos):
        drawn_for = [1 / labels / counts.present[i] for i in range(labels) if targets[k, i] == 1]
        for i in range(labels):
            ratio = 1 / labels / counts.present[i] / sum(drawn_for) if drawn_for else math.inf
            rebalanced = settings.alpha + 1 / (1 + math.exp(-settings.beta * (ratio - settings.mu)))
            frequency = counts.present[i] / (counts.present[i] + counts.absent[i])
            nu = settings.kappa * math.log(1 / frequency - 1)
            z = logits[k, i].item() - nu
            if targets[k, i] == 1:
                q, term = 1 / (1 + math.exp(-z)), math.log(1 + math.exp(-z))
            else:
                q = 1 / (1 + math.exp(settings.scale * z))
                term = math.log(1 + math.exp(settings.scale * z)) / settings.scale
            terms.append(weights[k, i].item() * rebalanced * (1 - q) ** settings.gamma * term)
    return float(np.mean(terms))


SETTINGS = st.builds(
    DistributionBalanced,
    alpha=st.floats(0, 1),
    beta=st.floats(0.1, 20),
    mu=st.floats(-0.5, 1),
    scale=st.floats(0.5, 5),
    kappa=st.floats(0, 0.5),
    gamma=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
)


@given(seed=st.integers(0, 1000), settings=SETTINGS)
def test_the_loss_is_the_papers_formula(seed: int, settings: DistributionBalanced):
    batch = random_batch(seed)
    found = settings.of(batch[3])(*batch[:3]).item()
    assert found == pytest.approx(papers_value(batch, settings), rel=1e-5)


def test_worked_example():
    # The photo carries a label of 1 photo and one of 3: P^C / P^I is 3/4, 1/4 and, of the absent one of 2, 3/8.
    counts = LabelCounts(np.array([1.0, 3.0, 2.0]), np.array([3.0, 1.0, 2.0]))
    settings = DistributionBalanced(alpha=0.1, beta=4.0, mu=0.5, scale=2.0, kappa=1.0, gamma=0.0)
    weight = [0.1 + 1 / (1 + math.exp(-4 * (ratio - 0.5))) for ratio in (3 / 4, 1 / 4, 3 / 8)]
    # Biases are log 3, -log 3 and 0; with logits of 0 the truth gets 1/4, 3/4 and 1/2.
    terms = [math.log(4), math.log(4 / 3), math.log(2) / 2]
    found = settings.of(counts)(torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]]), torch.ones(1, 3)).item()
    assert found == pytest.approx(sum(map(math.prod, zip(weight, terms, strict=True))) / 3)


@given(seed=st.integers(0, 1000))
def test_without_its_settings_it_is_cross_entropy_bit_for_bit(seed: int):
    logits, targets, weights, counts = random_batch(seed)
    plain, balanced = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    expected = BinaryCrossEntropy()(plain, targets, weights)
    loss = DistributionBalanced(alpha=0.5, beta=0, scale=1, kappa=0, gamma=0).of(counts)(balanced, targets, weights)
    assert torch.equal(loss, expected)
    expected.backward()
    loss.backward()
    assert torch.equal(balanced.grad, plain.grad)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_those_of_the_function(gamma: float):
    logits, targets, weights, counts = random_batch(0)
    loss = DistributionBalanced(gamma=gamma).of(counts)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets, weights), logits.requires_grad_())


def test_a_photo_that_carries_nothing_has_the_largest_weight():
    counts = LabelCounts(np.array([1.0, 3.0]), np.array([3.0, 1.0]))
    loss = DistributionBalanced(alpha=0.1, scale=1, kappa=0, gamma=0).of(counts)
    found = loss(torch.zeros(1, 2), torch.zeros(1, 2), torch.ones(1, 2)).item()
    assert found == pytest.approx(1.1 * math.log(2))


def test_a_label_that_no_photo_or_every_photo_carries_leaves_the_loss_finite():
    loss = DistributionBalanced().of(LabelCounts(np.array([0.0, 4.0]), np.array([4.0, 0.0])))
    logits = torch.zeros(1, 2, requires_grad=True)
    loss(logits, torch.tensor([[0.0, 1.0]]), torch.ones(1, 2)).backward()
    assert loss.bias.tolist() == pytest.approx([0.05 * math.log(4), -0.05 * math.log(4)])
    assert logits.grad.isfinite().all()


def test_negatives_of_a_rare_label_are_tolerated_more_than_those_of_a_frequent_one():
    loss = DistributionBalanced(kappa=1.0).of(LabelCounts(np.array([1.0, 50.0]), np.array([99.0, 50.0])))
    assert isinstance(loss, DistributionBalancedLoss)
    logits = torch.zeros(1, 2, requires_grad=True)
    loss(logits, torch.zeros(1, 2), torch.ones(1, 2)).backward()
    rare, frequent = logits.grad[0].tolist()
    assert 0 < rare < frequent
