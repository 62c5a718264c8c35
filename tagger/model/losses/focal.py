"""Focal loss: easy labels count less (Lin et al., ICCV 2017)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

from tagger.model.losses.limits import at_least_zero
from tagger.model.losses.wide import in_float32


@in_float32
def focal_loss(logits: Tensor, targets: Tensor, weights: Tensor, *, gamma: float, alpha: float | None) -> Tensor:
    """Return the mean of -w a (1 - q)^gamma log q, q the probability that is given to the truth.

    Args:
        logits: Any real numbers, (batch, labels).
        targets: 0 or 1, (batch, labels).
        weights: At least 0, (batch, labels).
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


class FocalLoss(nn.Module):
    """`focal_loss` with its settings.

    Raises:
        ValueError: If ``gamma`` is negative or ``alpha`` outside [0, 1].
    """

    def __init__(self, *, gamma: float = 2.0, alpha: float | None = None) -> None:
        super().__init__()
        at_least_zero(gamma=gamma)
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1] or be null, got {alpha}")
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return focal_loss(logits, targets, weights, gamma=self.gamma, alpha=self.alpha)
