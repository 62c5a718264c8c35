"""A loss in which some terms count more: by what is present or absent, or by how often the photo is drawn."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn


class WeighedLoss(nn.Module):
    """Any loss, with its weights multiplied by those that depend on the targets.

    Args:
        loss: ``(logits, targets, weights) -> scalar``.
        weigh: Targets 0 or 1 (batch, labels) to weights of the same shape, at least 0.

    Example:
        >>> from tagger.model.losses import BinaryCrossEntropy
        >>> twice = WeighedLoss(BinaryCrossEntropy(), ByState(np.array([2.0]), np.array([1.0])))
        >>> twice(torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1))
        tensor(1.3863)
    """

    def __init__(self, loss: nn.Module, weigh: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.weigh = weigh

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        if targets.shape != weights.shape:
            # The loss says so in its own words.
            return self.loss(logits, targets, weights)
        return self.loss(logits, targets, weights * self.weigh(targets))


class ByState(nn.Module):
    """Every label has one weight where it is present and one where it is not, (labels,) each.

    Example:
        >>> ByState(np.array([9.0, 3.0]), np.array([1.0, 2.0]))(torch.tensor([[1.0, 0.0]]))
        tensor([[9., 2.]])
    """

    present: Tensor
    absent: Tensor

    def __init__(self, present: np.ndarray, absent: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("present", torch.as_tensor(present, dtype=torch.float32), persistent=False)
        self.register_buffer("absent", torch.as_tensor(absent, dtype=torch.float32), persistent=False)

    def forward(self, targets: Tensor) -> Tensor:
        return torch.where(targets > 0.5, self.present, self.absent)


class ByReplication(nn.Module):
    """Take back from every label what a photo's factor gives it beyond its own.

    A photo drawn r(I) times counts r(h) / r(I) for the labels h that it carries and 1 / r(I) for all others, times the
    mean of r(I), which leaves a label that needs no lift the weight it has without replication. In expectation each
    label then trains as if it alone had been replicated.

    Args:
        factors: Replication factors r(h) of the labels, at least 1, (labels,).
        pooling: How a photo's factor comes from those of its labels: see `tagger.data.replication.photo_factors`.
        mean: Mean of the training photos' factors r(I), at least 1.

    Example:
        >>> by = ByReplication(np.array([1.0, 4.0]), pooling="max", mean=2.0)
        >>> by(torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
        tensor([[0.5000, 2.0000],
                [2.0000, 2.0000]])
    """

    factors: Tensor

    def __init__(self, factors: np.ndarray, *, pooling: Literal["max", "sum"], mean: float) -> None:
        super().__init__()
        self.register_buffer("factors", torch.as_tensor(factors, dtype=torch.float32), persistent=False)
        self.pooling = pooling
        self.mean = mean

    def forward(self, targets: Tensor) -> Tensor:
        is_present = targets > 0.5
        carried = torch.where(is_present, self.factors, 0)
        pooled = carried.amax(dim=1) if self.pooling == "max" else carried.sum(dim=1)
        own = torch.where(is_present, self.factors, 1)
        return self.mean * own / pooled.clamp(min=1)[:, None]
