"""Learning-rate schedules per optimisation step: linear warm-up, cosine decay, warm restarts.

Cosine and restarts: Loshchilov & Hutter 2017, "SGDR". Warm-up: Goyal et al. 2017.
"""

import math
from dataclasses import dataclass
from functools import partial

import pytorch_lightning as pl
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(step: int, *, warmup_steps: int, total_steps: int, restarts: int = 0) -> float:
    """Return the multiplier of the base learning rate at a step.

    Args:
        step: Steps taken so far, at least 0. From ``total_steps`` on the multiplier is 0.
        warmup_steps: Steps of the linear rise from 0 to 1, below ``total_steps``.
        total_steps: Steps of the whole training, T of the warm-up and the cosine together.
        restarts: How often the cosine starts again from 1; its periods are equal.

    Returns:
        step / warmup_steps during the warm-up, then (1 + cos(pi t / T)) / 2 with t and T counted from its end; in
        [0, 1].

    Example:
        >>> [round(warmup_cosine(step, warmup_steps=2, total_steps=6), 2) for step in range(7)]
        [0.0, 0.5, 1.0, 0.85, 0.5, 0.15, 0.0]
        >>> [round(warmup_cosine(step, warmup_steps=0, total_steps=4, restarts=1), 2) for step in range(5)]
        [1.0, 0.5, 1.0, 0.5, 0.0]
    """
    if step < warmup_steps:
        return step / warmup_steps
    if step >= total_steps:
        return 0.0
    span = total_steps - warmup_steps
    # In whole numbers, so that a period starts at exactly 1.
    into_period = (step - warmup_steps) * (restarts + 1) % span
    return (1 + math.cos(math.pi * into_period / span)) / 2


def constant(step: int) -> float:
    """Return 1, at any step: the base learning rate throughout.

    Example:
        >>> constant(7)
        1.0
    """
    return 1.0


@dataclass(frozen=True)
class WarmupCosine:
    """`warmup_cosine` for an optimizer, once the number of steps is known.

    Args:
        warmup: Share of all steps in [0, 1) if a float, number of steps if an int.
        restarts: How often the cosine starts again; at least 0.

    Raises:
        ValueError: If a setting is out of range.
    """

    warmup: float | int = 0.05
    restarts: int = 0

    def __post_init__(self) -> None:
        if self.warmup < 0 or (isinstance(self.warmup, float) and self.warmup >= 1):
            raise ValueError(f"warmup must be a share in [0, 1) or a number of steps, got {self.warmup}")
        if self.restarts < 0:
            raise ValueError(f"restarts must be at least 0, got {self.restarts}")

    def __call__(self, optimizer: Optimizer, total_steps: int) -> LambdaLR:
        """Return the scheduler; call its ``step()`` after every optimisation step.

        Raises:
            ValueError: If the warm-up takes all of ``total_steps``, or a period of the cosine has no step.
        """
        warmup_steps = int(self.warmup * total_steps) if isinstance(self.warmup, float) else self.warmup
        if warmup_steps + self.restarts >= total_steps:
            raise ValueError(
                f"{warmup_steps} warm-up steps and {self.restarts} restarts do not fit into {total_steps} steps:"
                " train longer, or set schedule.warmup or schedule.restarts lower"
            )
        # A partial of plain numbers: LambdaLR's state dict stays loadable with weights_only=True.
        return LambdaLR(
            optimizer,
            partial(warmup_cosine, warmup_steps=warmup_steps, total_steps=total_steps, restarts=self.restarts),
        )


@dataclass(frozen=True)
class Constant:
    """`constant` for an optimizer: no warm-up, no decay."""

    def __call__(self, optimizer: Optimizer, total_steps: int) -> LambdaLR:
        return LambdaLR(optimizer, constant)


def planned_steps(trainer: pl.Trainer, *, batches: int) -> int:
    """Return the optimisation steps of a whole training.

    Args:
        trainer: Says how many epochs or steps, how much of an epoch, and how many batches make a step.
        batches: Batches of an epoch.

    Raises:
        ValueError: If the trainer would never stop.
    """
    limit = trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    per_epoch = math.ceil(batches / trainer.accumulate_grad_batches)
    limits = [per_epoch * trainer.max_epochs] if trainer.max_epochs not in (None, -1) else []
    limits += [trainer.max_steps] if trainer.max_steps != -1 else []
    if not limits:
        raise ValueError("a schedule needs an end: set trainer.max_epochs or trainer.max_steps")
    return min(limits)
