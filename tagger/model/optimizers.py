"""Optimizers over parameter groups: no weight decay on norms and biases, a learning rate of the backbone's own."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW


def parameter_groups(
    module: nn.Module, *, lr: float, weight_decay: float, backbone_lr: float = 1.0
) -> list[dict[str, Any]]:
    """Return the trainable parameters in up to four groups: backbone or head, with weight decay or without.

    Vectors (norms, biases) are not decayed: they do not overfit, and pulling a norm's scale towards 0 changes what the
    layer before it learns. Frozen parameters are in no group, empty groups are left out.

    Args:
        module: Its backbone is what it, or a module in it, has under the name ``backbone``.
        lr: Base learning rate.
        weight_decay: Decay of matrices and kernels.
        backbone_lr: Multiplier of ``lr`` for the backbone.

    Returns:
        Groups as PyTorch's optimizers take them, each with a ``name`` that the learning-rate monitor shows.

    Raises:
        ValueError: If a setting is negative or nothing is trainable.

    Example:
        >>> groups = parameter_groups(nn.ModuleDict({"backbone": nn.Linear(4, 3)}), lr=0.1, weight_decay=0.01)
        >>> [(group["name"], group["weight_decay"], len(group["params"])) for group in groups]
        [('backbone', 0.01, 1), ('backbone_no_decay', 0.0, 1)]
    """
    for name, value in {"lr": lr, "weight_decay": weight_decay, "backbone_lr": backbone_lr}.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be at least 0 and finite, got {value}")
    groups: dict[str, dict[str, Any]] = {}
    for path, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        in_backbone, decays = "backbone" in path.split("."), parameter.ndim >= 2
        name = ("backbone" if in_backbone else "head") + ("" if decays else "_no_decay")
        group = {
            "name": name,
            "params": [],
            "lr": lr * (backbone_lr if in_backbone else 1),
            "weight_decay": weight_decay if decays else 0.0,
        }
        groups.setdefault(name, group)["params"].append(parameter)
    if not groups:
        raise ValueError(f"no parameter of {type(module).__name__} is trainable: unfreeze the head or the backbone")
    return list(groups.values())


def sgd(
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    momentum: float = 0.9,
    nesterov: bool = True,
    backbone_lr: float = 1.0,
) -> SGD:
    """Return SGD over the `parameter_groups` of ``module``.

    Example:
        >>> sgd(nn.Linear(4, 3), lr=0.1, weight_decay=0.0).param_groups[0]["momentum"]
        0.9
    """
    groups = parameter_groups(module, lr=lr, weight_decay=weight_decay, backbone_lr=backbone_lr)
    return SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov)


def adamw(
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    betas: Iterable[float] = (0.9, 0.999),
    eps: float = 1e-8,
    backbone_lr: float = 1.0,
) -> AdamW:
    """Return AdamW over the `parameter_groups` of ``module``.

    Example:
        >>> adamw(nn.Linear(4, 3), lr=0.1, weight_decay=0.0).param_groups[0]["betas"]
        (0.9, 0.999)
    """
    groups = parameter_groups(module, lr=lr, weight_decay=weight_decay, backbone_lr=backbone_lr)
    # Plain numbers: Hydra's list would end up in the checkpoint, which then does not load with weights_only=True.
    first, second = map(float, betas)
    return AdamW(groups, lr=lr, betas=(first, second), eps=eps)
