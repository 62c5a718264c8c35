"""Distribution-balanced loss for labels that share photos (Wu, Huang, Liu, Wang, Lin, ECCV 2020, arXiv 2007.09654).

Made for class-aware sampling (``sampler=class_aware``): a label is drawn, then a photo that carries it. A photo with
several labels is then drawn more often than any one of them asks for, and its weight takes that back.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

from tagger.data.label_counts import LabelCounts
from tagger.model.losses.counted import NeedsCounts
from tagger.model.losses.limits import at_least_zero
from tagger.model.losses.wide import in_float32


@in_float32
def distribution_balanced_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    counts: Tensor,
    bias: Tensor,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.2,
    scale: float = 2.0,
    gamma: float = 2.0,
) -> Tensor:
    """Return the mean of w r focus l, for every label of every photo.

    r = alpha + sigmoid(beta (P_label / P_photo - mu)) re-balances: P_label = 1 / n of the label, P_photo
    the sum of 1 / n over the labels that the photo carries. l = log(1 + exp(-(z - bias))) where the label is present,
    log(1 + exp(scale (z - bias))) / scale where it is not, which lets go of negatives that are already low.
    focus = (1 - q)^gamma, q the probability that those logits give to the truth (Lin et al. 2017).

    Args:
        logits: z, any real numbers, (batch, labels).
        targets: 0 or 1, (batch, labels).
        weights: At least 0, (batch, labels).
        counts: n, photos that carry each label, above 0, (labels,).
        bias: What a label's logit is lowered by while training, (labels,).
        alpha: Lift of every weight, at least 0.
        beta: Steepness, at least 0.
        mu: Ratio at which the weight is alpha + 1/2.
        scale: Lambda, above 0: 1 treats negatives as positives are.
        gamma: Focus, at least 0; 0 is none.

    Returns:
        The mean. A photo that carries no label has the largest weight, alpha + 1, as in the authors' code. The constant
        2 by which that code multiplies the focal terms is left out.

    Example:
        >>> one, none = torch.ones(1, 2), torch.zeros(2)
        >>> distribution_balanced_loss(torch.zeros(1, 2), one, one, counts=torch.ones(2), bias=none, gamma=0.0)
        tensor(0.7296)
    """
    rarity = 1 / counts.to(logits.dtype)
    # Where a photo carries nothing the ratio is infinite, its sigmoid 1.
    ratio = rarity / (targets * rarity).sum(dim=1, keepdim=True)
    rebalanced = alpha + torch.sigmoid(beta * (ratio - mu)) if beta else torch.full_like(logits, alpha + 0.5)
    lowered = logits - bias.to(logits.dtype)
    tolerance = torch.where(targets > 0.5, 1.0, scale)
    terms = F.binary_cross_entropy_with_logits(tolerance * lowered, targets, reduction="none") / tolerance
    log_wrong = F.logsigmoid(tolerance * lowered * (1 - 2 * targets))
    return (weights * rebalanced * torch.exp(gamma * log_wrong) * terms).mean()


class DistributionBalancedLoss(nn.Module):
    """`distribution_balanced_loss` with its settings and counts."""

    counts: Tensor
    bias: Tensor

    def __init__(self, settings: "DistributionBalanced", counts: LabelCounts) -> None:
        super().__init__()
        self.settings = settings
        present, absent = np.maximum(counts.present, 1), np.maximum(counts.absent, 1)
        self.register_buffer("counts", torch.tensor(present, dtype=torch.float32), persistent=False)
        bias = settings.kappa * np.log(absent / present)
        self.register_buffer("bias", torch.tensor(bias, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return distribution_balanced_loss(
            logits,
            targets,
            weights,
            counts=self.counts,
            bias=self.bias,
            alpha=self.settings.alpha,
            beta=self.settings.beta,
            mu=self.settings.mu,
            scale=self.settings.scale,
            gamma=self.settings.gamma,
        )


@dataclass(frozen=True, kw_only=True)
class DistributionBalanced(NeedsCounts):
    """Settings of the `distribution_balanced_loss`; the defaults are the authors' for COCO.

    Args:
        alpha: Lift of every weight, at least 0.
        beta: Steepness of the weights, at least 0.
        mu: Ratio at which the weight is alpha + 1/2.
        scale: Lambda of the negatives, above 0.
        kappa: How much of log((1 - p) / p) a label is lowered by while training, p its frequency; at least 0. The
            authors' code divides it by ``scale`` once more, their paper does not.
        gamma: Focus, at least 0.

    Raises:
        ValueError: If a setting is outside its range.
    """

    alpha: float = 0.1
    beta: float = 10.0
    mu: float = 0.2
    scale: float = 2.0
    kappa: float = 0.05
    gamma: float = 2.0

    def __post_init__(self) -> None:
        at_least_zero(alpha=self.alpha, beta=self.beta, kappa=self.kappa, gamma=self.gamma)
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"scale must be above 0 and finite, got {self.scale}")

    def of(self, counts: LabelCounts) -> DistributionBalancedLoss:
        """Return the loss; a label that is nowhere present or nowhere absent counts as if it were, once."""
        return DistributionBalancedLoss(self, counts)
