"""One relation between two labels and what the annotations say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Kind = Literal["implies", "excludes", "correlates"]
"""``implies`` is any implication: that something is a kind of something else is not to be seen in annotations."""


@dataclass(frozen=True)
class Finding:
    """A relation that the annotations suggest, or that the label system states; one-sided 95 % bounds."""

    kind: Kind
    label: str
    other: str
    taxonomy: str
    """``known``, ``new`` or ``contradicting``: what the label system says of it."""
    evidence: str
    """What the annotations say: ``holds``; ``fails``, where they say the opposite; ``silent``, where only unsaid labels
    speak against it; ``little``, where there are too few to tell."""
    photos: float
    """That carry the label and count for the pair."""
    together: float
    """That carry the other one as well."""
    by_chance: float
    """Those that would carry both if the labels had nothing to do with each other."""
    annotated: float
    """Share of ``photos`` on which somebody annotated whether the other one is there; the rest is unknown, weighed."""
    confidence: float
    """together / photos."""
    confidence_low: float
    confidence_high: float
    lift: float
    """together / by_chance."""
    lift_low: float
    lift_high: float
    correlation: float
    correlation_low: float
    correlation_high: float
    p: float
    """How probable such a difference from chance is by chance."""
    is_suggested: bool = False
    """Whether the suggestions have it."""
    note: str = ""
    """Why it contradicts, or is not suggested."""
    elsewhere: str = ""
    """What other label systems say, such as ``open_images: known``."""

    @property
    def is_confirmed(self) -> bool:
        """Whether the label system states it, or it follows, and the annotations agree."""
        return self.taxonomy == "known" and self.evidence == "holds" and self.kind != "correlates"

    @property
    def is_against(self) -> bool:
        """Whether annotations and label system contradict each other."""
        return self.taxonomy == "contradicting" or self.evidence == "fails"

    @property
    def is_open(self) -> bool:
        """Whether it is stated and the annotations do not tell."""
        return self.evidence in ("little", "silent")


class Tally(NamedTuple):
    """How many relations there are of each standing."""

    suggested: int
    confirmed: int
    against: int
    open: int

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> "Tally":
        """Count them."""
        flags = [(f.is_suggested, f.is_confirmed, f.is_against, f.is_open) for f in findings]
        return cls(*np.array(flags, dtype=bool).reshape(-1, 4).sum(axis=0).tolist())
