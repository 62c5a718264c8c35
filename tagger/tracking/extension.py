"""What extending a model did to every label: ``extension.csv``, and a few figures."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from tagger.atomic import write_text
from tagger.tracking.labels_csv import written


@dataclass(frozen=True)
class Extended:
    """A label before and after; None where there is no answer."""

    label: str
    """Its id; empty if it was removed."""
    change: str
    """``same``, ``renamed``, ``merged``, ``new`` or ``removed``."""
    earlier: str
    """Ids of the earlier labels that it was, ``|`` between them; empty if it is new."""
    train_count: int | None = None
    """Training photos that carry it now."""
    ap_before: float | None = None
    """Average precision of the earlier model on the test fold, 0..1."""
    ap: float | None = None
    """Average precision now, on the same photos."""
    threshold_before: float | None = None
    threshold: float | None = None
    is_refitted: bool = False
    """Whether its earlier threshold no longer did, so that another was fitted."""

    @property
    def gain(self) -> float | None:
        """By how much the average precision rose."""
        return None if self.ap is None or self.ap_before is None else self.ap - self.ap_before


def extended_figures(labels: Sequence[Extended]) -> dict[str, float]:
    """Return the extension in a few numbers, points of mAP lost by the earlier labels among them.

    Labels count that have an average precision, before and after, and a training photo.

    Example:
        >>> cat = Extended("cat", "same", "cat", 9, ap_before=0.5, ap=0.25)
        >>> figures = extended_figures([cat, Extended("okapi", "new", "", 3, ap=0.75)])
        >>> figures["extension/old_map_before"], figures["extension/old_map"], figures["extension/new_map"]
        (0.5, 0.25, 0.75)
    """
    if not labels:
        return {}
    changes = [label.change for label in labels]
    figures = {f"extension/labels_{change}": float(changes.count(change)) for change in CHANGES}
    figures["extension/thresholds_refitted"] = float(sum(label.is_refitted for label in labels))
    old = [label for label in labels if label.gain is not None and label.train_count]
    new = [label.ap for label in labels if label.change == "new" and label.ap is not None and label.train_count]
    if old:
        figures["extension/old_map_before"] = float(np.mean([label.ap_before for label in old]))
        figures["extension/old_map"] = float(np.mean([label.ap for label in old]))
        figures["extension/points_lost"] = 100 * (figures["extension/old_map_before"] - figures["extension/old_map"])
        figures["extension/most_points_lost"] = -100 * min(label.gain or 0.0 for label in old)
    if new:
        figures["extension/new_map"] = float(np.mean(new))
    return figures


CHANGES = ("same", "renamed", "merged", "new", "removed")


def write_extension(path: Path, labels: Sequence[Extended]) -> None:
    """Write a row per label, its columns the fields of `Extended`, cells as in ``labels.csv``."""
    names = [field.name for field in fields(Extended)]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(names)
    table.writerows([written(getattr(label, name)) for name in names] for label in labels)
    write_text(path, text.getvalue())
