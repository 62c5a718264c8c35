"""Class-balanced weights: by the effective number of examples (Cui et al., CVPR 2019).

The paper weighs the classes by 1 / E(n), E(n) = (1 - beta^n) / (1 - beta), scaled to add up to the number of classes. A
photo with several labels is not in one class, but for each label in one of two, present and absent: the weights here
are the paper's for those two, label by label, which is ours. (To weigh a whole label instead changes next to nothing
where only a head learns: Adam undoes the scale of an output's gradient.)
"""

from dataclasses import dataclass

import numpy as np
from torch import nn

from tagger.data.label_counts import LabelCounts
from tagger.model.losses.counted import NeedsCounts
from tagger.model.losses.weighed import ByState, WeighedLoss


def effective_number(counts: np.ndarray, *, beta: float) -> np.ndarray:
    """Return E(n) = (1 - beta^n) / (1 - beta): how many of n examples are new where they overlap.

    Args:
        counts: Examples n, at least 0, any shape; need not be whole.
        beta: In [0, 1). 0 gives 1 for every class, towards 1 it gives n.

    Example:
        >>> effective_number(np.array([1.0, 2.0, 1000.0]), beta=0.9).round(3)
        array([ 1. ,  1.9, 10. ])
    """
    if beta == 0:
        return np.ones_like(counts, dtype=np.float64)
    # 1 - beta^n loses its digits for beta near 1 and small n.
    return np.asarray(np.expm1(counts * np.log(beta)) / (beta - 1))


@dataclass(frozen=True, kw_only=True)
class ClassBalanced(NeedsCounts):
    """A loss whose terms are weighed by the effective number of photos on which a label is present, and absent.

    Args:
        loss: What is weighed: cross-entropy, focal or any other.
        beta: How many examples are worth telling apart, about 1 / (1 - beta): in [0, 1); 0 weighs nothing.

    Raises:
        ValueError: If ``beta`` is outside [0, 1).
    """

    loss: nn.Module
    beta: float = 0.9999

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise ValueError(f"beta must lie in [0, 1), got {self.beta}")

    def of(self, counts: LabelCounts) -> WeighedLoss:
        """Return the weighed loss; what no photo has counts as if one had."""
        present, absent = (
            1 / effective_number(np.maximum(number, 1), beta=self.beta) for number in (counts.present, counts.absent)
        )
        scale = 2 / (present + absent)
        return WeighedLoss(self.loss, ByState(present * scale, absent * scale))
