import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torchvision.ops import sigmoid_focal_loss

from tagger.data.label_counts import LabelCounts
from tagger.model.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    ByReplication,
    ClassBalanced,
    DistributionBalanced,
    FocalLoss,
    NeedsCounts,
    WeighedLoss,
    asymmetric_loss,
    binary_cross_entropy,
    focal_loss,
)


def counted_for(labels: int) -> LabelCounts:
    """Return counts of labels from rare to frequent, among 1,000 photos."""
    present = np.geomspace(1, 900, labels)
    return LabelCounts(present, 1000 - present)


class ForAnyWidth(torch.nn.Module):
    """A loss that needs counts, counted for as many labels as it is given."""

    def __init__(self, configured: NeedsCounts) -> None:
        super().__init__()
        self.configured = configured

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return self.configured.of(counted_for(logits.shape[1]))(logits, targets, weights)


LOSSES = [
    BinaryCrossEntropy(),
    FocalLoss(),
    FocalLoss(gamma=0.5, alpha=0.25),
    AsymmetricLoss(),
    AsymmetricLoss(margin=0),
    ForAnyWidth(DistributionBalanced()),
    ForAnyWidth(DistributionBalanced(gamma=0.5, scale=5.0)),
    ForAnyWidth(ClassBalanced(loss=BinaryCrossEntropy(), beta=0.99)),
    WeighedLoss(FocalLoss(), ByReplication(np.array([2.0]), pooling="max", mean=1.5)),
]
CONF = Path(__file__).parents[3] / "conf" / "loss"


def random_batch(*, seed: int = 0, batch: int = 16, labels: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(batch, labels, generator=rng)
    targets = (torch.rand(batch, labels, generator=rng) < 0.3).float()
    return logits, targets, torch.rand(batch, labels, generator=rng)


def test_worked_example():
    # p = 3/4 for both labels; the first is present, the second is not.
    logits, targets, weights = torch.full((1, 2), math.log(3)), torch.tensor([[1.0, 0.0]]), torch.ones(1, 2)
    present, absent = -math.log(3 / 4), -math.log(1 / 4)
    assert binary_cross_entropy(logits, targets, weights).item() == pytest.approx((present + absent) / 2)
    focal = focal_loss(logits, targets, weights, gamma=2, alpha=0.2).item()
    assert focal == pytest.approx((0.2 * (1 / 4) ** 2 * present + 0.8 * (3 / 4) ** 2 * absent) / 2)
    shifted = 3 / 4 - 0.05
    asymmetric = asymmetric_loss(logits, targets, weights, gamma_positive=1, gamma_negative=3, margin=0.05).item()
    assert asymmetric == pytest.approx(((1 / 4) * present - shifted**3 * math.log(1 - shifted)) / 2)


def test_cross_entropy_is_pytorchs_mean_with_weights():
    logits, targets, weights = random_batch()
    expected = F.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="mean")
    assert torch.equal(binary_cross_entropy(logits, targets, weights), expected)


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_focal_loss_without_focus_is_cross_entropy_bit_for_bit(seed):
    logits, targets, weights = random_batch(seed=seed)
    plain, focal = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    expected = binary_cross_entropy(plain, targets, weights)
    loss = focal_loss(focal, targets, weights, gamma=0, alpha=None)
    assert torch.equal(loss, expected)
    expected.backward()
    loss.backward()
    assert torch.equal(focal.grad, plain.grad)


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_focal_loss_is_torchvisions(alpha):
    logits, targets, _ = random_batch()
    loss = focal_loss(logits, targets, torch.ones_like(logits), gamma=2, alpha=alpha)
    torch.testing.assert_close(
        loss, sigmoid_focal_loss(logits, targets, gamma=2, alpha=-1 if alpha is None else alpha, reduction="mean")
    )


def test_asymmetric_loss_is_the_papers_formula():
    logits, targets, weights = random_batch()
    scores = torch.sigmoid(logits.double())
    shifted = (scores - 0.05).clamp(min=0)
    terms = targets * (1 - scores) ** 1 * scores.log() + (1 - targets) * shifted**4 * (1 - shifted).log()
    loss = asymmetric_loss(logits, targets, weights, gamma_positive=1, gamma_negative=4, margin=0.05)
    torch.testing.assert_close(loss, -(weights * terms).mean().float())


def test_asymmetric_loss_without_its_settings_is_cross_entropy():
    logits, targets, weights = random_batch()
    loss = asymmetric_loss(logits, targets, weights, gamma_positive=0, gamma_negative=0, margin=0)
    torch.testing.assert_close(loss, binary_cross_entropy(logits, targets, weights))


def test_the_focus_of_the_asymmetric_loss_is_a_constant_to_the_gradient():
    logits = torch.zeros(1, 1, requires_grad=True)
    asymmetric_loss(logits, torch.zeros(1, 1), torch.ones(1, 1), gamma_negative=2, margin=0).backward()
    # p = 1/2: the focus is 1/4, the slope of -log(1 - p) is 1/2.
    assert logits.grad.item() == pytest.approx(1 / 8)


def test_a_negative_below_the_margin_counts_nothing():
    logits = torch.tensor([[-4.0]], requires_grad=True)
    loss = asymmetric_loss(logits, torch.zeros(1, 1), torch.ones(1, 1))
    loss.backward()
    assert loss.item() == logits.grad.item() == 0


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), FocalLoss(), FocalLoss(gamma=0.5, alpha=0.25)])
def test_gradients_are_those_of_the_function(loss):
    logits, targets, weights = (tensor.double() for tensor in random_batch(batch=3))
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets, weights), logits.requires_grad_())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@settings(max_examples=30, deadline=None)
@given(logit=st.floats(-1e4, 1e4), target=st.sampled_from([0.0, 1.0]))
def test_loss_and_gradient_are_finite_for_any_logit(loss, dtype, logit, target):
    logits = torch.tensor([[logit, 1e4, -1e4]], dtype=dtype, requires_grad=True)
    value = loss(logits, torch.tensor([[target, target, target]]), torch.ones(1, 3))
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert value >= 0
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_compute_in_float32_whatever_the_autocast(loss):
    logits, targets, weights = random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, targets, weights)
    assert torch.equal(inside, loss(logits, targets, weights))


@pytest.mark.parametrize("loss", LOSSES)
def test_what_has_no_weight_changes_nothing(loss):
    logits, targets, weights = random_batch()
    weights[:, 0] = 0
    other = logits.clone()
    other[:, 0] = 9.0
    assert torch.equal(loss(logits, targets, weights), loss(other, targets, weights))


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not isinstance(loss, ForAnyWidth)])
def test_the_scale_does_not_depend_on_the_number_of_labels_or_photos(loss):
    logits, targets, weights = random_batch()
    wide = [torch.cat([tensor, tensor], dim=1) for tensor in (logits, targets, weights)]
    torch.testing.assert_close(loss(*wide), loss(logits, targets, weights))


@pytest.mark.parametrize("loss", LOSSES)
def test_tensors_that_would_broadcast_are_refused(loss):
    with pytest.raises(ValueError, match=r"one shape \(batch, labels\), got \(4, 3\), \(4, 1\), \(4, 3\)"):
        loss(torch.zeros(4, 3), torch.zeros(4, 1), torch.ones(4, 3))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FocalLoss(gamma=-1), "gamma must be at least 0 and finite, got -1"),
        (lambda: FocalLoss(alpha=1.5), r"alpha must lie in \[0, 1\] or be null, got 1.5"),
        (lambda: AsymmetricLoss(gamma_negative=-2), "gamma_negative must be at least 0 and finite, got -2"),
        (lambda: AsymmetricLoss(margin=1), r"margin must lie in \[0, 1\), got 1"),
        (lambda: DistributionBalanced(beta=-1), "beta must be at least 0 and finite, got -1"),
        (lambda: DistributionBalanced(scale=0), "scale must be above 0 and finite, got 0"),
        (lambda: ClassBalanced(loss=FocalLoss(), beta=1), r"beta must lie in \[0, 1\), got 1"),
    ],
)
def test_a_setting_out_of_range_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configured_loss_runs(path):
    loss = instantiate(OmegaConf.load(path))
    if isinstance(loss, NeedsCounts):
        loss = loss.of(counted_for(7))
    assert loss(*random_batch()).isfinite()
    assert loss.state_dict() == {}, "a checkpoint does not depend on what was counted"
