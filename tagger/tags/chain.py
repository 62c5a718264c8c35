"""From a network's scores to tags: a detector adds to them, prior relations complete them, thresholds decide."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tagger.model.network import Network
from tagger.tags.detector.fusion import Fusion
from tagger.tags.relations.rules import Rules
from tagger.tags.runtime import DETECTOR


class Completed(NamedTuple):
    """What the chain says of photos; all of shape (photos, labels)."""

    scores: Tensor
    """0..1, float32."""
    tags: Tensor
    """Which labels are given, boolean."""
    origins: Tensor
    """Why each label scores what it does, int64: its own column where the network says so, that of the label it
    follows from, or ``DETECTOR``."""


class Chain(nn.Module):
    """Images (photos, 3, size, size) to tags; what validation measured, a bundle delivers and a test compares.

    Args:
        network: Images to logits.
        rules: Relations, applied to its scores.
        thresholds: Fitted on what the rules give, shape (labels,).
        fusion: What a detector adds to the network's scores before the rules; None: nothing.
    """

    thresholds: Tensor

    def __init__(self, network: Network, rules: Rules, thresholds: Tensor, fusion: Fusion | None = None) -> None:
        super().__init__()
        self.network = network
        self.fusion = fusion or Fusion(rules.labels)
        self.rules = rules
        self.register_buffer("thresholds", thresholds.float())

    @property
    def looks(self) -> bool:
        """Whether any label takes a detector."""
        return bool(self.fusion.taken)

    def forward(self, images: Tensor, detected: Tensor | None = None) -> Completed:
        """Return scores, tags and where they come from.

        Args:
            images: What the network sees, (photos, 3, size, size).
            detected: Highest detection score of every label, (photos, labels), 0 where there is none; it must be there
                if the chain `looks`.
        """
        scored = self.network(images).float().sigmoid()
        fused = scored if detected is None else self.fusion(scored, detected)
        scores = self.rules(fused)
        origins = self.rules.origins(fused, scores)
        if detected is not None:
            own = torch.arange(len(self.rules.labels), device=origins.device)
            origins = torch.where((origins == own) & self.fusion.owed(scored, detected), DETECTOR, origins)
        return Completed(scores, scores >= self.thresholds, origins)

    def with_thresholds(self, thresholds: Tensor) -> "Chain":
        """Return the same chain with other thresholds."""
        return Chain(self.network, self.rules, thresholds, self.fusion).train(self.training)
