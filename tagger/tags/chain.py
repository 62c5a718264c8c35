"""From a network's scores to tags: prior relations complete them, thresholds decide."""

from typing import NamedTuple

from torch import Tensor, nn

from tagger.model.network import Network
from tagger.tags.rules import Rules


class Completed(NamedTuple):
    """What the chain says of photos; all of shape (photos, labels)."""

    scores: Tensor
    """0..1, float32."""
    tags: Tensor
    """Which labels are given, boolean."""
    origins: Tensor
    """Why each label scores what it does, int64: its own column where the network says so, else that of the label
    it follows from."""


class Chain(nn.Module):
    """Images (photos, 3, size, size) to tags; what validation measured, a bundle delivers and a test compares.

    Args:
        network: Images to logits.
        rules: Relations, applied to its scores.
        thresholds: Fitted on what the rules give, shape (labels,).
    """

    thresholds: Tensor

    def __init__(self, network: Network, rules: Rules, thresholds: Tensor) -> None:
        super().__init__()
        self.network = network
        self.rules = rules
        self.register_buffer("thresholds", thresholds.float())

    def forward(self, images: Tensor) -> Completed:
        """Return scores, tags and where they come from."""
        seen = self.network(images).float().sigmoid()
        scores = self.rules(seen)
        return Completed(scores, scores >= self.thresholds, self.rules.origins(seen, scores))

    def with_thresholds(self, thresholds: Tensor) -> "Chain":
        """Return the same chain with other thresholds."""
        return Chain(self.network, self.rules, thresholds).train(self.training)
