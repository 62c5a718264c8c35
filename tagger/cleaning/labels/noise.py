"""How many annotations of a label are probably wrong, by confident learning.

Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", equations 1 and 2, one
label against the rest: a photo counts for a side if its score reaches the mean score of the photos that were annotated
so. What the other side's photos do is the noise.
"""

from dataclasses import dataclass

import numpy as np

from tagger.data.states import PRESENT


@dataclass(frozen=True, eq=False)
class Noise:
    """Photos of every label that are probably annotated wrongly; float64 (labels,), NaN where nothing is known."""

    mistaken: np.ndarray
    """Photos that are annotated with the label and probably do not."""
    missing: np.ndarray
    """Photos that are not annotated with it and probably do."""


def expected_noise(scores: np.ndarray, states: np.ndarray) -> Noise:
    """Estimate the wrong annotations of every label.

    Args:
        scores: Out of fold, (photos, labels), 0..1.
        states: int8 (photos, labels); what is not present, unknown or absent, is the other side.

    Example:
        >>> scores = np.array([[0.9], [0.8], [0.1], [0.9], [0.1], [0.2]])
        >>> noise = expected_noise(scores, np.array([[1], [1], [1], [0], [-1], [-1]]))
        >>> noise.mistaken.round(2).item(), noise.missing.round(2).item()
        (1.0, 1.0)
    """
    columns = [_of_label(scores[:, column], states[:, column] == PRESENT) for column in range(scores.shape[1])]
    mistaken, missing = np.array(columns, dtype=np.float64).reshape(-1, 2).T
    return Noise(mistaken, missing)


def _of_label(scores: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    if present.all() or not present.any():
        return float("nan"), float("nan")
    yes = scores.astype(np.float64)
    no = 1 - yes
    reaches_yes, reaches_no = yes >= yes[present].mean(), no >= no[~present].mean()
    # Both reached: the larger counts.
    counts_yes = reaches_yes & (~reaches_no | (yes > no))
    counts_no = reaches_no & ~counts_yes
    return _share(counts_no, counts_yes, present), _share(counts_yes, counts_no, ~present)


def _share(against: np.ndarray, for_: np.ndarray, among: np.ndarray) -> float:
    """Return how many of these photos the share is that counts against their annotation."""
    wrong, right = int((against & among).sum()), int((for_ & among).sum())
    return float("nan") if not wrong + right else wrong / (wrong + right) * int(among.sum())
