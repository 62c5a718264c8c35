"""Distillation: learn what a teacher says of every label (Hinton, Vinyals, Dean 2015, arXiv 1503.02531).

Theirs is one softmax over classes. A photo has several labels, each with a sigmoid of its own, so that here every label
is a softmax of two classes, present and absent; the rest is theirs: both logits are divided by a temperature T, and the
loss is multiplied by T², because the gradients shrink by 1 / T².
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

from tagger.model.losses.wide import in_float32

SUREST = 1e-7
"""A teacher's score is kept this far from 0 and 1: its logit would be infinite where float32 ends."""


@in_float32
def distillation_loss(logits: Tensor, targets: Tensor, weights: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return the mean of w T² KL(q || p), q = sigmoid(teacher's logit / T), p = sigmoid(logit / T).

    The divergence is cross-entropy less what no student can avoid, so that the loss is 0 where the student says what
    the teacher says; its gradient is that of cross-entropy, w T (p - q) / n.

    Args:
        logits: Of the student, any real numbers, (batch, labels).
        targets: The teacher's scores, in [0, 1], (batch, labels).
        weights: At least 0, (batch, labels): 0 where the teacher says nothing.
        temperature: T, above 0. 1 takes the teacher's scores as they are; the higher, the more its differences between
            labels that it thinks unlikely count.

    Example:
        >>> one = torch.ones(1, 2)
        >>> distillation_loss(torch.zeros(1, 2), targets=torch.tensor([[0.5, 0.9]]), weights=one)
        tensor(0.1840)
    """
    soft = torch.sigmoid(torch.logit(targets, eps=SUREST) / temperature)
    cross = F.binary_cross_entropy_with_logits(logits / temperature, soft, reduction="none")
    own = F.binary_cross_entropy(soft, soft, reduction="none")
    return temperature**2 * (weights * (cross - own)).mean()


class Distillation(nn.Module):
    """How much of the loss a teacher's scores are, beside what is annotated.

    Args:
        temperature: Of `distillation_loss`, above 0.
        weight: Share in [0, 1] of the teacher; the annotations have the rest. At 1 only the teacher is learnt from.

    Raises:
        ValueError: If a setting is outside its range.
    """

    def __init__(self, *, temperature: float = 1.0, weight: float = 0.5) -> None:
        super().__init__()
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        if not 0 <= weight <= 1:
            raise ValueError(f"weight must lie in [0, 1], got {weight}")
        self.temperature = temperature
        self.weight = weight

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Return the teacher's part of the loss alone, without its share."""
        return distillation_loss(logits, targets, weights, temperature=self.temperature)

    def shared(self, annotated: Tensor, taught: Tensor) -> Tensor:
        """Return the loss of both by their shares.

        Args:
            annotated: The loss against the annotations, a scalar.
            taught: The loss against the teacher's scores, a scalar.

        Example:
            >>> Distillation(weight=0.75).shared(torch.tensor(4.0), torch.tensor(8.0))
            tensor(7.)
        """
        return (1 - self.weight) * annotated + self.weight * taught


def said_and_weights(taught: Tensor) -> tuple[Tensor, Tensor]:
    """Split what teachers say into targets and weights for `distillation_loss`.

    Args:
        taught: Scores in [0, 1], NaN where no teacher knows the label, any shape.

    Returns:
        The scores and their weights, 1 or 0, both in that shape.

    Example:
        >>> said_and_weights(torch.tensor([0.25, float("nan")]))
        (tensor([0.2500, 0.0000]), tensor([1., 0.]))
    """
    return taught.nan_to_num(), (~taught.isnan()).to(taught.dtype)
