"""Asymmetric loss: only easy negatives count less (Ridnik et al., ICCV 2021)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

from tagger.model.losses.limits import at_least_zero
from tagger.model.losses.wide import in_float32


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
        weights: At least 0, (batch, labels).
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


class AsymmetricLoss(nn.Module):
    """`asymmetric_loss` with its settings.

    Raises:
        ValueError: If a gamma is negative or ``margin`` outside [0, 1).
    """

    def __init__(self, *, gamma_positive: float = 0.0, gamma_negative: float = 4.0, margin: float = 0.05) -> None:
        super().__init__()
        at_least_zero(gamma_positive=gamma_positive, gamma_negative=gamma_negative)
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
