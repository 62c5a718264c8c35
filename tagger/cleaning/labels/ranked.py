"""Which labels to clean: those that have many photos and are poor all the same.

The blueprint's point, after He et al.: AP grows with the number of photos. A label that lies well below what labels of
its size reach is *dirty*: its annotations are wrong, and people can mend them. One that is poor because it has few
photos is *starved*: it wants photos, not cleaning.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from tagger.atomic import write_text
from tagger.cleaning.labels.expectation import expected_ap
from tagger.cleaning.labels.noise import expected_noise
from tagger.data.states import PRESENT, Weighing
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision
from tagger.tracking.labels_csv import written

Reason = Literal["dirty", "starved", "fine"]


@dataclass(frozen=True)
class LabelToClean:
    """One label, and whether cleaning it would pay."""

    rank: int
    """From 1: the dirty ones first, the worst first."""
    label: str
    reason: Reason
    photos: int
    """That carry the label."""
    ap: float | None
    """Out of fold."""
    expected_ap: float | None
    """Of labels of this size."""
    below: float | None
    """By how many spreads of such labels its AP is below; negative: above."""
    mistaken: float | None
    """Photos that probably carry the label wrongly."""
    missing: float | None
    """Photos that probably lack it wrongly."""


def labels_to_clean(
    scores: np.ndarray,
    states: np.ndarray,
    ids: Sequence[str],
    *,
    unknown: Weighing,
    kinds: np.ndarray | None = None,
    enough: int | None = None,
    poor: float | None = None,
    below: float = 1.0,
) -> list[LabelToClean]:
    """Rank the labels by whether cleaning would pay.

    Args:
        scores: Out of fold, (photos, labels), 0..1, of scored photos only.
        states: int8 (photos, labels).
        ids: Of the labels.
        unknown: What an unknown label weighs as a negative, for each kind of photo.
        kinds: Kind of every photo, int (photos,).
        enough: Photos from which on a label is large; None: the median of the labels that have any.
        poor: AP under which a small label is starved; None: the median AP of all labels.
        below: Spreads below the AP of its size from which on a large label is dirty.

    Returns:
        A row per label: dirty, starved, fine; of each reason the furthest below what is expected first.
    """
    tensors = (torch.from_numpy(scores.astype(np.float32)), torch.from_numpy(states))
    histogram = Histogram.of(*tensors, kinds=None if kinds is None else torch.from_numpy(kinds.astype(np.int64)))
    measured = average_precision(histogram, unknown=unknown)
    ap = np.where(measured.counted.numpy(), measured.values.numpy(), np.nan)
    photos = (states == PRESENT).sum(axis=0)
    noise, expected = expected_noise(scores, states), expected_ap(photos, ap)
    spreads = (expected.ap - ap) / np.maximum(expected.spread, LEAST_SPREAD)
    counted = np.isfinite(ap)
    if counted.any():
        enough = int(np.ceil(np.median(photos[counted]))) if enough is None else enough
        poor = float(np.median(ap[counted])) if poor is None else poor
    reasons = [
        reason(int(size), value, far, enough=enough or 0, poor=poor or 0.0, below=below)
        for size, value, far in zip(photos, ap, spreads, strict=True)
    ]
    lost = np.nan_to_num(expected.ap - ap, nan=-np.inf)
    order = sorted(range(len(ids)), key=lambda label: (_ORDER[reasons[label]], -lost[label], ids[label]))
    columns = (ap, expected.ap, spreads, noise.mistaken, noise.missing)
    return [
        LabelToClean(
            rank, ids[label], reasons[label], int(photos[label]), *(_known(column[label]) for column in columns)
        )
        for rank, label in enumerate(order, start=1)
    ]


LEAST_SPREAD = 0.05
"""Of AP: among labels that all lie close to the curve, a small distance says nothing about annotations."""

_ORDER: dict[Reason, int] = {"dirty": 0, "starved": 1, "fine": 2}


def reason(photos: int, ap: float, spreads: float, *, enough: int, poor: float, below: float) -> Reason:
    """Return whether a label is dirty, starved or fine; one without an AP has too few photos to have any.

    Example:
        >>> limits = {"enough": 50, "poor": 0.5, "below": 1.0}
        >>> reason(400, 0.3, 2.0, **limits), reason(8, 0.3, 2.0, **limits), reason(400, 0.3, 0.4, **limits)
        ('dirty', 'starved', 'fine')
    """
    if np.isnan(ap):
        return "starved"
    if photos >= enough:
        return "dirty" if spreads >= below else "fine"
    return "starved" if ap < poor else "fine"


def write_labels_to_clean(path: Path, labels: Sequence[LabelToClean]) -> None:
    """Write the ranked labels as a CSV; what is not known is an empty cell."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow([field.name for field in fields(LabelToClean)])
    for label in labels:
        table.writerow([written(cell) for cell in astuple(label)])
    write_text(path, text.getvalue())


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
