"""The three states of a label on a photo: present, absent, unknown.

A photo without an annotation for a label is *unknown*, not absent. What unknown counts for is one setting, chosen per
data set and read by everything that counts: loss, label frequency, average precision, thresholds. It is a weight: an
unknown label is a negative of that weight.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from scipy.sparse import csr_array
from torch import Tensor

ABSENT, UNKNOWN, PRESENT = -1, 0, 1

Unknown = Literal["negative", "ignore"] | float

Weighing = Unknown | Sequence[float]
"""One setting for all photos, or a weight for each kind of photo: sources differ in what their silence means."""


def unknown_weight(unknown: Unknown) -> float:
    """Return what an unknown label weighs as a negative: 1 for ``negative``, 0 for ``ignore``, or the number itself.

    Args:
        unknown: ``"negative"``, ``"ignore"`` or a weight in [0, 1].

    Raises:
        ValueError: If it is another word or a number outside [0, 1].

    Example:
        >>> unknown_weight("ignore"), unknown_weight("negative"), unknown_weight(0.25)
        (0.0, 1.0, 0.25)
    """
    named = {"negative": 1.0, "ignore": 0.0}
    if isinstance(unknown, str):
        if unknown not in named:
            raise ValueError(f"unknown must be 'negative', 'ignore' or a weight in [0, 1], got {unknown!r}")
        return named[unknown]
    if not 0 <= unknown <= 1:
        raise ValueError(f"unknown must be 'negative', 'ignore' or a weight in [0, 1], got {unknown!r}")
    return float(unknown)


def unknown_weights(unknown: Weighing, *, kinds: int) -> tuple[float, ...]:
    """Return what an unknown label weighs on each kind of photo.

    Raises:
        ValueError: As `unknown_weight` does, or if there are not as many weights as kinds.

    Example:
        >>> unknown_weights("negative", kinds=2), unknown_weights([0.0, 0.5], kinds=2)
        ((1.0, 1.0), (0.0, 0.5))
    """
    if isinstance(unknown, str | int | float):
        return (unknown_weight(unknown),) * kinds
    if len(unknown) != kinds:
        raise ValueError(f"unknown must hold a weight for each of {kinds} kinds of photos, got {list(unknown)}")
    return tuple(unknown_weight(weight) for weight in unknown)


def targets_and_weights(states: Tensor, *, unknown: float | Tensor) -> tuple[Tensor, Tensor]:
    """Split states into targets and the weight that each of them has in a loss or a metric.

    Args:
        states: ``PRESENT``, ``ABSENT`` or ``UNKNOWN``, any shape.
        unknown: Weight in [0, 1] of an unknown label as a negative; a tensor if it differs, in a shape that broadcasts.

    Returns:
        Targets 0.0 or 1.0 and weights in [0, 1], both float32 in the shape of ``states``.

    Example:
        >>> targets_and_weights(torch.tensor([1, -1, 0]), unknown=0.25)
        (tensor([1., 0., 0.]), tensor([1.0000, 1.0000, 0.2500]))
    """
    targets = (states == PRESENT).float()
    weights = torch.where(states == UNKNOWN, unknown, 1.0)
    return targets, weights


def count_states(part: str, states: csr_array) -> dict[str, float]:
    """Return how many photos a part of the data has and how many annotations of each state.

    Example:
        >>> import numpy as np
        >>> count_states("test", csr_array(np.array([[1, -1, 0, 0]], dtype=np.int8)))["states/test_unknown"]
        2.0
    """
    photos, labels = states.shape
    present, absent = int((states.data == PRESENT).sum()), int((states.data == ABSENT).sum())
    counts = {"photos": photos, "present": present, "absent": absent, "unknown": photos * labels - present - absent}
    return {f"states/{part}_{name}": float(count) for name, count in counts.items()}
