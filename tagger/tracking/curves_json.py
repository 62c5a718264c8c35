"""``curves.json``: every label's precision-recall curve on validation, in few enough points to travel in a bundle."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from tagger.atomic import write_text
from tagger.tags.delivery.curve import Curve
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import Curves, curves
from tagger.tags.thresholds import Contract

POINTS = 64
"""Most points of a curve beside the label's own threshold."""


def write_curves(path: Path, ids: Sequence[str], histogram: Histogram, contract: Contract) -> None:
    """Write the curves of all labels; ``histogram`` is what the contract was fitted on."""
    written = {id_: asdict(curve) for id_, curve in zip(ids, short_curves(histogram, contract), strict=True)}
    write_text(path, json.dumps(written, ensure_ascii=False))


def read_curves(path: Path) -> dict[str, Curve]:
    """Read the curves by label id.

    Raises:
        ValueError: If the file holds something else.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a mapping")
    return {id_: Curve.from_plain(plain) for id_, plain in found.items()}


def short_curves(histogram: Histogram, contract: Contract) -> list[Curve]:
    """Return a curve per label.

    A point is the highest threshold that finds so many photos: what lies below it, down to the next, only adds
    mistakes. Of more than ``POINTS`` some are left out, evenly; never the label's own threshold.
    """
    curve = curves(histogram, unknown=contract.unknown)
    own = torch.searchsorted(curve.thresholds, contract.thresholds.clamp(max=1))
    return [_curve(curve, label, _points(curve, label, own=threshold)) for label, threshold in enumerate(own.tolist())]


def _points(curve: Curves, label: int, *, own: int) -> Tensor:
    """Return the bins of a label's points, from the strictest threshold."""
    found = curve.found[label]
    corners = (found > torch.nn.functional.pad(found[1:], (0, 1))).nonzero().flatten()
    if len(corners) > POINTS:
        corners = corners[torch.linspace(0, len(corners) - 1, POINTS).round().long()]
    is_given = own < len(curve.thresholds) and curve.tagged[label, own] > 0
    return torch.cat([corners, torch.tensor([own] * is_given, dtype=torch.long)]).unique().flip(0)


def _curve(curve: Curves, label: int, points: Tensor) -> Curve:
    columns = (curve.thresholds[points], curve.tagged[label, points], curve.found[label, points])
    thresholds, tagged, found = (tuple(round(value, 9) for value in column.tolist()) for column in columns)
    return Curve(thresholds, tagged, found, positives=float(curve.positives[label]))
