"""Losses that must know how often each label occurs."""

from abc import ABC, abstractmethod

from torch import nn

from tagger.data.label_counts import LabelCounts


class NeedsCounts(ABC):
    """Settings of a loss that depends on how often each label occurs; a loss once that is known."""

    @abstractmethod
    def of(self, counts: LabelCounts) -> nn.Module:
        """Return the loss ``(logits, targets, weights) -> scalar`` for training photos that were counted."""
