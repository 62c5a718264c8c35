"""From which evidence on a relation is one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Criteria:
    """How sure the annotations must be.

    Raises:
        ValueError: If a share lies outside (0, 1), or support is no count.
    """

    confidence: float = 0.8
    """Lower bound of an implication's confidence. Of an exclusion: photos with both are at most the rest to 1 of those
    that chance would give."""
    support: int = 10
    """Photos that carry both labels; of an exclusion and a negative correlation, those that would by chance."""
    exceptions: float = 0.5
    """Photos of a label without the implied one are at most this share of what they would be by chance: of a label that
    nearly all photos carry, nearly every label would imply it."""
    chance: float = 0.05
    """Of the pairs that stand at most this share may be chance (Benjamini and Hochberg)."""
    correlation: float = 0.3
    """Size of the correlation from which on it is mentioned."""

    def __post_init__(self) -> None:
        for name in ("confidence", "exceptions", "chance", "correlation"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.support < 1:
            raise ValueError(f"support must be at least 1 photo, got {self.support}")
