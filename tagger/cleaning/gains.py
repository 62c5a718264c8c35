"""What cleaning bought: average precision of models trained before and after, on the annotations as they are today.

All scorings are measured out of fold on the same photos and the same annotations, so only the models differ.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.cleaning.decisions import Decision
from tagger.cleaning.scores import Scores
from tagger.data.catalog import Catalog
from tagger.data.dataset import dense_states
from tagger.data.states import Weighing
from tagger.data.taxonomy import Taxonomy
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class LabelGain:
    """What cleaning bought a label."""

    label: str
    decided: int
    """Photos on which people have decided it."""
    before: float
    """AP of the first scoring that was kept."""
    after: float
    """AP of the last one."""


@dataclass(frozen=True)
class Point:
    """A scoring: how much people had decided by then, and how good the models were."""

    when: str
    decided: int
    """Of the photos and labels that are decided today."""
    cleaned: float | None
    """Mean AP of the labels of which anything is decided today."""
    every: float | None
    """Mean AP of all labels."""


@dataclass(frozen=True)
class Gains:
    """What cleaning bought."""

    points: tuple[Point, ...]
    """The oldest first; with a single one nothing can be said yet."""
    labels: tuple[LabelGain, ...]
    """Those of which anything is decided and that have an AP; the most decided first."""
    photos: int
    """That every scoring has scored."""
    same_training: bool
    """Whether all scorings trained by the same words: else cleaning is not all that differs."""


def gains(
    kept: Sequence[Scores],
    made: Sequence[Decision],
    *,
    catalog: Catalog,
    rows: np.ndarray,
    unknown: Weighing,
    kinds: np.ndarray,
) -> Gains | None:
    """Return what cleaning bought; None if nothing was scored.

    Args:
        kept: Scorings, the oldest first.
        made: What people have decided.
        catalog: What training sees today.
        rows: Its photos' rows in the table ``photos``.
        unknown: What an unknown label weighs as a negative, for each kind of photo.
        kinds: Kind of every photo, int (photos,).
    """
    if not kept:
        return None
    common = np.flatnonzero(np.logical_and.reduce([scores.is_scored[rows] for scores in kept]))
    states = torch.from_numpy(dense_states(catalog.states, common))
    of_kind = torch.from_numpy(kinds[common].astype(np.int64))
    measured = [_ap(scores.values[rows[common]], states, of_kind, unknown) for scores in kept]
    decided = {one.label for one in made}
    cleaned = np.array([id_ in decided for id_ in catalog.taxonomy.ids])
    points = [
        Point(
            when=str(scores.facts.get("when", "")),
            decided=_decided_by(scores, made),
            cleaned=_mean(ap[cleaned]),
            every=_mean(ap),
        )
        for scores, ap in zip(kept, measured, strict=True)
    ]
    words = {tuple(scores.facts.get("words", ())) for scores in kept}
    return Gains(tuple(points), _labels(measured, made, catalog.taxonomy), len(common), len(words) == 1)


def _ap(values: Floats, states: torch.Tensor, kinds: torch.Tensor, unknown: Weighing) -> Floats:
    histogram = Histogram.of(torch.from_numpy(values.astype(np.float32)), states, kinds=kinds)
    found = average_precision(histogram, unknown=unknown)
    return np.where(found.counted.numpy(), found.values.numpy(), np.nan)


def _decided_by(scores: Scores, made: Sequence[Decision]) -> int:
    known = set(scores.facts.get("batches", ()))
    return sum(one.batch in known for one in made)


def _labels(measured: Sequence[Floats], made: Sequence[Decision], taxonomy: Taxonomy) -> tuple[LabelGain, ...]:
    first, last = measured[0], measured[-1]
    found = [
        LabelGain(label, decided, float(first[column]), float(last[column]))
        for label, decided in Counter(one.label for one in made).items()
        if np.isfinite(first[column := taxonomy.column[label]])
    ]
    return tuple(sorted(found, key=lambda one: (-one.decided, one.label)))


def _mean(ap: Floats) -> float | None:
    known = ap[np.isfinite(ap)]
    return float(known.mean()) if len(known) else None
