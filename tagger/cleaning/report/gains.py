"""What cleaning bought: average precision of models trained before and after, on the annotations as they are today.

All scorings are measured out of fold on the same photos and the same annotations, so only the models differ.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.cleaning.scoring.scores import Scores
from tagger.cleaning.verdicts.decisions import Decision
from tagger.data.catalog import Catalog
from tagger.data.dataset import dense_states
from tagger.data.states import PRESENT, UNKNOWN, Weighing, unknown_weights
from tagger.data.taxonomy import Taxonomy
from tagger.studies.comparison.resampling import interval, photo_weights
from tagger.studies.comparison.weighted import steps
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision

Floats = NDArray[np.floating]

RESAMPLED = 5 * 10**7
"""Weights of photos that are held at a time, of 4 bytes; with few photos there are 300 resamples."""


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
    low: float
    """Ends of the 95 % interval of the difference, as photos are resampled; the training of models varies besides."""
    high: float


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
    """The oldest first; with a single one nothing can be compared yet."""
    labels: tuple[LabelGain, ...]
    """Those of which anything is decided and that have an AP, the most decided first; of two scorings or more."""
    gained: tuple[float, float, float] | None
    """Mean over ``labels`` of after less before, and the ends of its interval; None of a single scoring."""
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
    weights = np.asarray(unknown_weights(unknown, kinds=int(kinds.max(initial=0)) + 1), dtype=np.float32)
    differences = _differences(
        (kept[0].values[rows[common]], kept[-1].values[rows[common]]),
        states.numpy(),
        np.where(states.numpy() == UNKNOWN, weights[kinds[common]][:, None], 1).astype(np.float32),
        columns=np.flatnonzero(cleaned & np.isfinite(measured[0]) & (len(kept) > 1)),
    )
    words = {tuple(scores.facts.get("words", ())) for scores in kept}
    return Gains(
        points=tuple(points),
        labels=_labels(measured, differences, made, catalog.taxonomy),
        gained=_gained(measured, differences) if differences else None,
        photos=len(common),
        same_training=len(words) == 1,
    )


def _ap(values: Floats, states: torch.Tensor, kinds: torch.Tensor, unknown: Weighing) -> Floats:
    histogram = Histogram.of(torch.from_numpy(values.astype(np.float32)), states, kinds=kinds)
    found = average_precision(histogram, unknown=unknown)
    return np.where(found.counted.numpy(), found.values.numpy(), np.nan)


def _differences(
    scores: tuple[Floats, Floats], states: NDArray[np.int8], counting: Floats, *, columns: np.ndarray
) -> dict[int, Floats]:
    """Return AP after less AP before under every resampling of the photos, (resamples + 1,), by label's column.

    Args:
        scores: Before and after, each (photos, labels).
        states: int8 (photos, labels).
        counting: What a photo counts for if it is tagged, (photos, labels).
        columns: Labels to look at; each has an AP.
    """
    resamples = int(np.clip(RESAMPLED // max(len(states), 1), 50, 300))
    weights = photo_weights(len(states), resamples=resamples, rng=np.random.default_rng(0))
    found: dict[int, Floats] = {}
    for column in columns.tolist():
        before, after = (
            steps(own[:, column].astype(np.float32), states[:, column] == PRESENT, counting[:, column], weights)
            for own in scores
        )
        found[column] = after.average_precision() - before.average_precision()
    return found


def _gained(measured: Sequence[Floats], differences: Mapping[int, Floats]) -> tuple[float, float, float]:
    columns = list(differences)
    low, high = interval(np.mean([differences[column] for column in columns], axis=0))
    return float((measured[-1] - measured[0])[columns].mean()), float(low), float(high)


def _decided_by(scores: Scores, made: Sequence[Decision]) -> int:
    known = set(scores.facts.get("batches", ()))
    return sum(one.batch in known for one in made)


def _labels(
    measured: Sequence[Floats], differences: Mapping[int, Floats], made: Sequence[Decision], taxonomy: Taxonomy
) -> tuple[LabelGain, ...]:
    decided, found = Counter(one.label for one in made), []
    for column, difference in differences.items():
        label = taxonomy.ids[column]
        before, after = float(measured[0][column]), float(measured[-1][column])
        low, high = interval(difference)
        found.append(LabelGain(label, decided[label], before, after, float(low), float(high)))
    return tuple(sorted(found, key=lambda one: (-one.decided, one.label)))


def _mean(ap: Floats) -> float | None:
    known = ap[np.isfinite(ap)]
    return float(known.mean()) if len(known) else None
