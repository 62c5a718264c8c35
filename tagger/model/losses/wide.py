"""The width that every loss computes in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

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
