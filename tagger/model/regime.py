"""The training regime: which part of the network learns, and whether the rest is computed once and kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Regime:
    """Everything, head only, or head on cached features.

    With ``views`` the frozen backbone sees every photo that many times before training (once plain, then augmented)
    and the head trains on what it gave: an ablation takes seconds on a CPU.
    """

    train_backbone: bool
    views: int = 0

    def __post_init__(self) -> None:
        if self.views < 0:
            raise ValueError(f"regime.views must be 0 (no cache) or more, got {self.views}")
        if self.train_backbone and self.views:
            raise ValueError("features can only be cached while the backbone is frozen: use regime=cached")

    @property
    def cached(self) -> bool:
        """Whether the head trains on cached features."""
        return self.views > 0
