"""Distillation: what a student learns of a teacher's scores."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.model.losses import BinaryCrossEntropy, Distillation, distillation_loss
from tagger.model.losses.distillation import said_and_weights
from tagger.model.mixup import Mix


def random_batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits, teacher = (4 * torch.randn(2, 6, 5, generator=rng, dtype=torch.float64)).clamp(-15, 15)
    return logits, teacher.sigmoid(), torch.rand(6, 5, generator=rng, dtype=torch.float64)


def test_a_worked_example():
    # At temperature 2 the teacher's logit of log 9 becomes log 3: q = 3/4. The student says 1/2 at any temperature.
    found = distillation_loss(torch.zeros(1, 1), torch.tensor([[0.9]]), torch.ones(1, 1), temperature=2.0).item()
    assert found == pytest.approx(4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)), rel=1e-5)


@given(seed=st.integers(0, 1000), temperature=st.floats(0.5, 8))
def test_it_is_hintons_loss_with_a_softmax_of_two_for_every_label(seed: int, temperature: float):
    logits, scores, weights = random_batch(seed)

    def two(logit: Tensor) -> Tensor:
        return torch.stack([torch.zeros_like(logit), logit], dim=-1) / temperature

    student, teacher = two(logits).log_softmax(dim=-1), two(scores.logit()).softmax(dim=-1)
    divergence = torch.nn.functional.kl_div(student, teacher, reduction="none").sum(dim=-1)
    expected = temperature**2 * (weights * divergence).mean()
    torch.testing.assert_close(distillation_loss(logits, scores, weights, temperature=temperature), expected)


@given(seed=st.integers(0, 1000), temperature=st.floats(0.5, 8))
def test_a_student_that_says_what_the_teacher_says_has_nothing_to_learn(seed: int, temperature: float):
    _, scores, weights = random_batch(seed)
    logits = scores.logit().requires_grad_()
    loss = distillation_loss(logits, scores, weights, temperature=temperature)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-9)
    assert logits.grad.abs().max().item() < 1e-9


def test_at_temperature_one_gradients_are_those_of_cross_entropy_against_the_scores():
    logits, scores, weights = random_batch()
    plain, taught = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    BinaryCrossEntropy()(plain, scores, weights).backward()
    distillation_loss(taught, scores, weights).backward()
    torch.testing.assert_close(taught.grad, plain.grad)


def test_the_hotter_the_less_the_gradient_depends_on_how_sure_both_are():
    # Hinton et al., section 2.1: towards high temperatures it is that of half the squared difference of the logits / 2.
    logits, scores, _ = random_batch()
    logits.requires_grad_()
    distillation_loss(logits, scores, torch.ones_like(scores), temperature=1e3).backward()
    torch.testing.assert_close(logits.grad, (logits - scores.logit()) / 4 / logits.numel(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@given(
    logit=st.floats(-1e4, 1e4), score=st.sampled_from([0.0, 1e-30, 0.3, 1.0]), temperature=st.sampled_from([0.5, 1, 20])
)
def test_loss_and_gradient_are_finite_for_any_logit_and_score(
    dtype: torch.dtype, logit: float, score: float, temperature: float
):
    logits = torch.tensor([[logit]], dtype=dtype, requires_grad=True)
    loss = distillation_loss(logits, torch.tensor([[score]]), torch.ones(1, 1), temperature=temperature)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_what_no_teacher_knows_has_no_gradient():
    logits = torch.zeros(1, 3, requires_grad=True)
    targets, weights = said_and_weights(torch.tensor([[0.9, math.nan, 0.1]]))
    distillation_loss(logits, targets, weights).backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad != 0).tolist() == [[True, False, True]]


def test_of_blended_photos_each_teachers_scores_count_by_their_share():
    logits, scores, weights = random_batch()
    mix = Mix(0.3, torch.tensor([1, 0, 3, 2, 5, 4]))
    distillation = Distillation(temperature=2.0)
    expected = 0.3 * distillation(logits, scores, weights)
    expected += 0.7 * distillation(logits, scores[mix.partners], weights[mix.partners])
    torch.testing.assert_close(mix.loss(distillation, logits, scores, weights), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0"),
        ({"temperature": float("inf")}, "temperature must be above 0 and finite, got inf"),
        ({"weight": 1.5}, r"weight must lie in \[0, 1\], got 1.5"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, float], message: str):
    with pytest.raises(ValueError, match=message):
        Distillation(**settings)


def test_nothing_of_it_is_in_a_checkpoint():
    assert Distillation().state_dict() == {}
