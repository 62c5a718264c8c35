"""Binary cross-entropy: what the other losses are compared with."""

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

from tagger.model.losses.wide import in_float32


@in_float32
def binary_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of -w (t log p + (1 - t) log(1 - p)), p = sigmoid(logit).

    Args:
        logits: Any real numbers, (batch, labels).
        targets: 0 or 1, (batch, labels).
        weights: At least 0, (batch, labels): what is known counts 1, what is unknown as the data set says.

    Example:
        >>> import torch
        >>> one = torch.ones(1, 2)
        >>> binary_cross_entropy(torch.zeros(1, 2), targets=one, weights=one)
        tensor(0.6931)
    """
    # PyTorch's value to the bit, and in the steps of focal_loss, so that gradients without focus agree to the bit too.
    terms = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weights * terms).mean()


class BinaryCrossEntropy(nn.Module):
    """`binary_cross_entropy` as a module."""

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return binary_cross_entropy(logits, targets, weights)
