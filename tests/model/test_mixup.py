"""Mixup: what is blended, what is unknown, and what it depends on."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.data.batch import Batch
from tagger.data.label_counts import LabelCounts
from tagger.data.states import targets_and_weights
from tagger.model.losses import AsymmetricLoss, BinaryCrossEntropy, DistributionBalanced, FocalLoss
from tagger.model.mixup import Mix, draw_mix
from tagger.model.module import TaggerModule

MakeModule = Callable[..., TaggerModule]
SWAPPED = Mix(0.75, torch.tensor([1, 0]))
CPU = torch.device("cpu")


def test_two_photos_by_hand():
    inputs = torch.tensor([[0.0, 8.0], [4.0, 0.0]])
    assert SWAPPED.blend(inputs).tolist() == [[1, 6], [3, 2]]
    images = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    assert SWAPPED.blend(images)[0].unique().tolist() == [0.25]


def test_the_loss_of_two_photos_by_hand():
    # Present and absent; present and unknown of weight 1/2. Logits of log 3 give 3/4 to present.
    states = torch.tensor([[1, 1], [-1, 0]], dtype=torch.int8)
    targets, weights = targets_and_weights(states, unknown=0.5)
    found = SWAPPED.loss(BinaryCrossEntropy(), torch.full((2, 2), math.log(3)), targets, weights).item()
    present, absent = math.log(4 / 3), math.log(4)
    first = 0.75 * present + 0.25 * absent + 0.75 * present + 0.25 * 0.5 * absent
    second = 0.75 * absent + 0.25 * present + 0.75 * 0.5 * absent + 0.25 * present
    assert found == pytest.approx((first + second) / 4)


def test_what_is_ignored_on_one_photo_is_learnt_from_the_other_by_its_share():
    states = torch.tensor([[0], [1]], dtype=torch.int8)
    targets, weights = targets_and_weights(states, unknown=0.0)
    logits = torch.zeros(2, 1, requires_grad=True)
    SWAPPED.loss(BinaryCrossEntropy(), logits, targets, weights).backward()
    # The slope of -log p is -1/2 at 0; each photo is half of the mean.
    assert logits.grad.flatten().tolist() == pytest.approx([-0.25 / 4, -0.75 / 4])


@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
def test_cross_entropy_of_a_pair_is_that_of_its_blended_target_and_weight(seed: int, share: float):
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(6, 3, generator=rng, dtype=torch.float64)
    states = torch.randint(-1, 2, (6, 3), generator=rng)
    targets, weights = targets_and_weights(states, unknown=0.3)
    mix = Mix(share, torch.randperm(6, generator=rng))
    weight = mix.blend(weights)
    target = mix.blend(weights * targets) / weight
    expected = BinaryCrossEntropy()(logits, target.nan_to_num(), weight)
    torch.testing.assert_close(mix.loss(BinaryCrossEntropy(), logits, targets, weights), expected, rtol=1e-5, atol=1e-7)


class OnlyHardTargets(torch.nn.Module):
    """Hand on to a loss, if each target is 0 or 1."""

    def __init__(self, loss: torch.nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        assert set(targets.unique().tolist()) <= {0.0, 1.0}
        return self.loss(logits, targets, weights)


@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(alpha=0.25),
        AsymmetricLoss(),
        DistributionBalanced().of(LabelCounts(np.array([3.0, 5.0]), np.array([7.0, 5.0]))),
    ],
    ids=["focal", "asymmetric", "distribution_balanced"],
)
def test_every_loss_sees_the_truth_of_whole_photos_only(loss: torch.nn.Module):
    logits, targets, weights = torch.randn(4, 2), torch.tensor([[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 2), torch.ones(4, 2)
    mix = Mix(0.3, torch.tensor([2, 3, 0, 1]))
    found = mix.loss(OnlyHardTargets(loss), logits, targets, weights)
    expected = 0.3 * loss(logits, targets, weights) + 0.7 * loss(logits, 1 - targets, weights)
    torch.testing.assert_close(found, expected)


def test_shares_are_drawn_from_the_beta_distribution():
    torch.manual_seed(0)
    shares = np.array([draw_mix(0.2, 1, device=CPU).share for _ in range(2000)])
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * 1.4), abs=0.01)


def test_every_photo_is_the_partner_of_one():
    torch.manual_seed(0)
    assert sorted(draw_mix(1.0, 9, device=CPU).partners.tolist()) == list(range(9))


def features(photos: int = 6) -> Batch:
    rng = torch.Generator().manual_seed(0)
    states = torch.randint(-1, 2, (photos, 4), generator=rng).to(torch.int8)
    return Batch(torch.randn(photos, 256, generator=rng), states, torch.arange(photos))


def stepped(module: TaggerModule, batch: Batch) -> float:
    module.log = lambda *_, **__: None  # type: ignore[assignment]
    module.on_train_batch_start(batch, 0)
    return module.training_step(batch, 0).item()


def test_a_step_is_a_function_of_seed_and_step(tagger_module: MakeModule):
    def loss(seed: int, drawn: int) -> float:
        module = tagger_module(seed=seed, mixup=0.4)
        torch.rand(drawn)  # what was drawn before makes no difference
        return stepped(module, features())

    assert loss(0, 0) == loss(0, 5) != loss(1, 0)


def test_images_and_features_are_blended_alike(tagger_module: MakeModule, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.model.module.draw_mix", lambda alpha, photos, *, device: SWAPPED)
    module = tagger_module(mixup=0.4)
    seen: list[Tensor] = []
    module.logits = lambda batch: seen.append(batch.inputs) or torch.zeros(2, 4)  # type: ignore[func-returns-value]
    images = Batch(torch.rand(2, 3, 8, 8), torch.ones(2, 4, dtype=torch.int8), torch.arange(2))
    for batch in (images, images._replace(inputs=images.inputs.flatten(1))):
        stepped(module, batch)
    assert torch.equal(seen[0].flatten(1), seen[1])
    assert torch.equal(seen[0], 0.75 * images.inputs + 0.25 * images.inputs.flip(0))


def test_without_mixup_nothing_is_drawn(tagger_module: MakeModule, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.model.module.draw_mix", lambda *_, **__: pytest.fail("drew"))
    stepped(tagger_module(), features())


def test_an_alpha_below_zero_is_refused(tagger_module: MakeModule):
    with pytest.raises(ValueError, match="mixup must be at least 0 and finite, got -1"):
        tagger_module(mixup=-1.0)
