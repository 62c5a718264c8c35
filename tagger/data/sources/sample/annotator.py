"""What annotators recorded about the sample album, and where they were wrong.

Two kinds of annotator: an exhaustive one answers every label; a partial one names some of what is there and verifies
a handful of absences. Both overlook labels and both write down wrong ones; the truth about that is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagger.data.sources.sample.labels import LABELS, LEAVES, PARENTS, with_groups

EXHAUSTIVE_SHARE = 0.6
"""Share of photos that went to an exhaustive annotator."""

REACHED_SHARE = 0.65
"""Share of the present labels that a partial annotator gets to."""

VERIFIED_ABSENCES = (3, 7)
"""A partial annotator verifies at least, and fewer than, so many absences."""


@dataclass(frozen=True)
class Record:
    """One photo's row: labels in neither set are unknown."""

    present: frozenset[str]
    absent: frozenset[str]
    missing: frozenset[str]
    """Truly present and overlooked: recorded absent by an exhaustive annotator, left unknown by a partial one."""
    mistaken: frozenset[str]
    """Recorded present and truly absent."""


def annotate(
    truth: frozenset[str],
    rng: np.random.Generator,
    *,
    noise_missing: float = 0.05,
    noise_mistaken: float = 0.02,
) -> Record:
    """Record a photo the way one of the two annotators does. Groups follow from the recorded labels.

    Args:
        truth: Labels that are present.
        rng: Decides on the annotator and the noise.
        noise_missing: Share in [0, 1] of the present labels, groups not counted, that are overlooked.
        noise_mistaken: Share in [0, 1) of the recorded labels, groups not counted, that are wrong.

    Example:
        >>> truth = frozenset({"food", "food.cake"})
        >>> record = annotate(truth, np.random.default_rng(0), noise_missing=0, noise_mistaken=0)
        >>> record.present <= truth, record.missing, record.mistaken
        (True, frozenset(), frozenset())
    """
    exhaustive = rng.random() < EXHAUSTIVE_SHARE
    leaves = [leaf for leaf in LEAVES if leaf in truth]
    reached = leaves if exhaustive else [leaf for leaf in leaves if rng.random() < REACHED_SHARE]
    overlooked = [leaf for leaf in reached if rng.random() < noise_missing]
    kept = [leaf for leaf in reached if leaf not in overlooked]
    wrong = _confusions(kept, overlooked, truth, rng, rate=noise_mistaken)
    present = with_groups([*kept, *wrong])
    not_present = [label for label in LABELS if label not in present]
    absent = not_present if exhaustive else _verified([label for label in not_present if label not in truth], rng)
    return Record(present, frozenset(absent), with_groups(reached) - present, present - truth)


def _confusions(
    kept: Sequence[str], overlooked: Sequence[str], truth: frozenset[str], rng: np.random.Generator, *, rate: float
) -> list[str]:
    """Return wrong labels: relatives of an overlooked label (dog for cat) or else of one that was kept."""
    wrong: list[str] = []
    for leaf in kept:
        # So many for each right label make the wanted share of all recorded ones.
        if rng.random() < rate / (1 - rate):
            meant = str(rng.choice(overlooked)) if overlooked else leaf
            choices = [other for other in LEAVES if other not in truth and other not in wrong]
            relatives = [other for other in choices if set(PARENTS[other]) & set(PARENTS[meant])]
            wrong.append(str(rng.choice(relatives or choices)))
    return wrong


def _verified(absences: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [str(label) for label in rng.choice(absences, size=rng.integers(*VERIFIED_ABSENCES), replace=False)]
