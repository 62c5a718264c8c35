"""Losses of one logit per label: binary cross-entropy, focal (Lin et al. 2017), asymmetric (Ridnik et al. 2021).

All take logits, targets 0 or 1 and weights in [0, 1], each (batch, labels), and return the plain mean of the weighted
terms over every element, those of weight 0 included. So the scale of a term does not depend on what else is known in
the batch (a weighted mean would make the few known labels of a sparse photo louder), values compare across label
systems, and cross-entropy is PyTorch's. The price: with SGD the step of a label is divided by the number of labels.

All compute in float32 at least, whatever the autocast: in float16 the asymmetric loss is NaN.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

Loss = TypeVar("Loss", bound=Callable[..., Tensor])


def in_float32(loss: Loss) -> Loss:
    """Let a loss compute in float32, or in float64 if its logits are; refuse tensors that would broadcast."""

    @wraps(loss)
    def wide(logits: Tensor, targets: Tensor, weights: Tensor, **settings: Any) -> Tensor:
        if not logits.shape == targets.shape == weights.shape:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (logits, targets, weights))
            raise ValueError(f"logits, targets and weights must have one shape (batch, labels), got {shapes}")
        dtype = torch.promote_types(logits.dtype, torch.float32)
        with torch.autocast(logits.device.type, enabled=False):
            return loss(logits.to(dtype), targets.to(dtype), weights.to(dtype), **settings)

    return cast(Loss, wide)


@in_float32
def binary_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of -w (t log p + (1 - t) log(1 - p)), p = sigmoid(logit).

    Args:
        logits: Any real numbers, (batch, labels).
        targets: 0 or 1, (batch, labels).
        weights: In [0, 1], (batch, labels): what is known counts 1, what is unknown as the data set says.

    Example:
        >>> one = torch.ones(1, 2)
        >>> binary_cross_entropy(torch.zeros(1, 2), targets=one, weights=one)
        tensor(0.6931)
    """
    # PyTorch's value to the bit, and in the steps of focal_loss, so that gradients without focus agree to the bit too.
    terms = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weights * terms).mean()


@in_float32
def focal_loss(logits: Tensor, targets: Tensor, weights: Tensor, *, gamma: float, alpha: float | None) -> Tensor:
    """Return the mean of -w a (1 - q)^gamma log q, q the probability that is given to the truth.

    Args:
        logits: Any real numbers, (batch, labels).
        targets: 0 or 1, (batch, labels).
        weights: In [0, 1], (batch, labels).
        gamma: Focus, at least 0: how much less an easy label counts. 0 is binary cross-entropy.
        alpha: Factor a in [0, 1] of the present labels; the others have 1 - alpha. None: 1 for both.

    Example:
        >>> one = torch.ones(1, 2)
        >>> focal_loss(torch.zeros(1, 2), targets=one, weights=one, gamma=1.0, alpha=None)
        tensor(0.3466)
    """
    terms = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # In the log domain: the gradient of (1 - q) ** gamma is infinite at q = 1 for gamma below 1.
    log_wrong = F.logsigmoid(logits * (1 - 2 * targets))
    terms = torch.exp(gamma * log_wrong) * terms
    if alpha is not None:
        terms = torch.where(targets > 0.5, alpha, 1 - alpha) * terms
    return (weights * terms).mean()


@in_float32
def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> Tensor:
    """Return the mean of -w (1 - p)^gamma_positive log p where present, -w m^gamma_negative log(1 - m) where not.

    m = max(p - margin, 0), so a negative below the margin counts nothing. The powers are constants to the gradient, as
    in the authors' training code (``disable_torch_grad_focal_loss=True``), which the paper's figures come from.

    Args:
        logits: Any real numbers, (batch, labels).
        targets: 0 or 1, (batch, labels).
        weights: In [0, 1], (batch, labels).
        gamma_positive: Focus on hard present labels, at least 0.
        gamma_negative: Focus on hard absent labels, at least 0.
        margin: Probability in [0, 1) by which negatives are shifted down.

    Example:
        >>> one = torch.ones(1, 2)
        >>> asymmetric_loss(torch.tensor([[0.0, -3.0]]), targets=one * 0, weights=one)
        tensor(0.0123)
    """
    log_present = F.logsigmoid(logits)
    # log(1 - p + margin) without ever forming 1 - p, which is 0 for large logits.
    log_margin = logits.new_tensor(margin).log()
    log_absent = torch.logaddexp(F.logsigmoid(-logits), log_margin).clamp(max=0)
    with torch.no_grad():
        focus_present = torch.exp(gamma_positive * F.logsigmoid(-logits))
        focus_absent = (-torch.expm1(log_absent)) ** gamma_negative
    terms = torch.where(targets > 0.5, focus_present * log_present, focus_absent * log_absent)
    return -(weights * terms).mean()


class BinaryCrossEntropy(nn.Module):
    """`binary_cross_entropy` as a module."""

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return binary_cross_entropy(logits, targets, weights)


class FocalLoss(nn.Module):
    """`focal_loss` with its settings.

    Raises:
        ValueError: If ``gamma`` is negative or ``alpha`` outside [0, 1].
    """

    def __init__(self, *, gamma: float = 2.0, alpha: float | None = None) -> None:
        super().__init__()
        _at_least_zero(gamma=gamma)
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1] or be null, got {alpha}")
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return focal_loss(logits, targets, weights, gamma=self.gamma, alpha=self.alpha)


class AsymmetricLoss(nn.Module):
    """`asymmetric_loss` with its settings.

    Raises:
        ValueError: If a gamma is negative or ``margin`` outside [0, 1).
    """

    def __init__(self, *, gamma_positive: float = 0.0, gamma_negative: float = 4.0, margin: float = 0.05) -> None:
        super().__init__()
        _at_least_zero(gamma_positive=gamma_positive, gamma_negative=gamma_negative)
        if not 0 <= margin < 1:
            raise ValueError(f"margin must lie in [0, 1), got {margin}")
        self.gamma_positive = gamma_positive
        self.gamma_negative = gamma_negative
        self.margin = margin

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return asymmetric_loss(
            logits,
            targets,
            weights,
            gamma_positive=self.gamma_positive,
            gamma_negative=self.gamma_negative,
            margin=self.margin,
        )


def _at_least_zero(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be at least 0 and finite, got {value}")
