"""Mixup: the network learns from photos blended in pairs (Zhang, Cisse, Dauphin, Lopez-Paz, ICLR 2018)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class Mix(NamedTuple):
    """Which two photos of a batch become one, and how much of it each is.

    Example:
        >>> mix = Mix(0.75, torch.tensor([1, 0]))
        >>> mix.blend(torch.tensor([[0.0], [4.0]]))
        tensor([[1.],
                [3.]])
    """

    share: float
    """In [0, 1]: what is left of the photo itself; the rest is its partner's."""
    partners: Tensor
    """int64 (batch,): place in the batch of each photo's partner."""

    def blend(self, inputs: Tensor) -> Tensor:
        """Blend images (batch, 3, height, width) or features (batch, features)."""
        return self.share * inputs + (1 - self.share) * inputs[self.partners]

    def loss(self, loss: Loss, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Return the loss of blended photos: of each photo's own truth and of its partner's, by their shares.

        So each loss sees only targets 0 or 1, and a label that is unknown on one photo of a pair counts there what an
        unknown label counts. For cross-entropy it is the loss of a target between 0 and 1: the mean of the two targets
        by share times weight, with the mean of the two weights as its weight.
        """
        own = loss(logits, targets, weights)
        partners = loss(logits, targets[self.partners], weights[self.partners])
        return self.share * own + (1 - self.share) * partners


def draw_mix(alpha: float, photos: int, *, device: torch.device) -> Mix:
    """Draw, from PyTorch's global random state, one share ~ Beta(alpha, alpha) and partners for a batch.

    As the authors' code does: one share for all pairs, partners by a permutation; a photo may meet itself.

    Args:
        alpha: Above 0: near 0 one photo of a pair nearly disappears, at 1 all shares are equally likely.
        photos: Size of the batch.
        device: Where the inputs are.
    """
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    # On the CPU: the same pairs on every device.
    return Mix(share, torch.randperm(photos).to(device))
