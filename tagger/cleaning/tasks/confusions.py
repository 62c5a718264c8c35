"""Which labels a model takes for which, of its scores out of fold: what annotators should tell apart."""

from collections.abc import Sequence

import numpy as np

FEWEST = 10
"""Photos of a label below which nothing is known of it."""


def confused_labels(
    scores: np.ndarray,
    present: np.ndarray,
    *,
    columns: Sequence[int],
    follows: np.ndarray | None = None,
    least: float = 0.2,
    most: int = 3,
) -> dict[int, list[int]]:
    """Return the labels that each one is confused with, most often first.

    Of a label with n photos, the n photos without it that score highest are looked at. A label that is on more of those
    than of its own photos, and of all photos, is what it is taken for; one that is on as many of its own only goes with
    it.

    Args:
        scores: Out of fold, (photos, labels).
        present: Where a label is present, boolean (photos, labels).
        columns: The labels that are asked about.
        follows: Where label j is true whenever label i is, boolean (labels, labels): these are not told apart.
        least: By how much the shares of photos differ at least.
        most: Labels for each.

    Example:
        >>> present = np.zeros((60, 3), dtype=bool)
        >>> present[:20, 0] = present[20:40, 1] = present[:40, 2] = True     # dogs, wolves; both have fur
        >>> scores = np.linspace(1, 0, 60)[:, None] * np.ones(3)
        >>> confused_labels(scores, present, columns=[0])
        {0: [1]}
    """
    found, usual = {}, present.mean(axis=0)
    for column in columns:
        own = present[:, column]
        count = int(own.sum())
        others = np.flatnonzero(~own)
        if count < FEWEST or len(others) < FEWEST:
            continue
        taken = others[np.argsort(-scores[others, column], kind="stable")[:count]]
        differs = present[taken].mean(axis=0) - np.maximum(present[own].mean(axis=0), usual)
        differs[column] = 0
        if follows is not None:
            differs[follows[column] | follows[:, column]] = 0
        best = np.argsort(-differs, kind="stable")[:most]
        if kept := [int(other) for other in best if differs[other] >= least]:
            found[column] = kept
    return found
