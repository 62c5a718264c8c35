"""Whether every fold is a small copy of the whole: how far a label's share in a fold is from an even share."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from tagger.data.card.counts import count_states, members_of
from tagger.data.catalog import FOLDS


@dataclass(frozen=True, eq=False)
class Balance:
    """Photos and labels by fold."""

    photos: np.ndarray
    """Photos of each fold, int64 (folds,)."""
    present: np.ndarray
    """Photos of each fold that carry each label, int64 (folds, labels)."""

    @property
    def deviation(self) -> np.ndarray:
        """How far the share of each label's photos is from even in the worst fold, 0..1, (labels,); NaN without any."""
        total = self.present.sum(axis=0)
        share = np.divide(self.present, total, out=np.full(self.present.shape, np.nan), where=total > 0)
        return np.abs(share - 1 / len(self.photos)).max(axis=0)

    @property
    def excess(self) -> np.ndarray:
        """What of the deviation could have been avoided, (labels,); NaN for labels without photos."""
        return self.deviation - unavoidable(self.present.sum(axis=0), folds=len(self.photos))

    @property
    def worst_first(self) -> np.ndarray:
        """Labels whose folds could be more even, the worst first, int64."""
        order = np.argsort(-np.nan_to_num(self.excess), kind="stable")
        return order[self.excess[order] > 1e-9]


def fold_balance(states: csr_array, fold: np.ndarray, *, folds: int = FOLDS) -> Balance:
    """Count photos and labels by fold.

    Args:
        states: int8 (photos, labels).
        fold: Fold of every photo, 0..folds - 1, (photos,).
        folds: Number of folds.

    Example:
        >>> balance = fold_balance(csr_array(np.ones((4, 1), dtype=np.int8)), np.array([0, 0, 0, 1]), folds=2)
        >>> balance.present.T.tolist(), balance.deviation.tolist(), balance.excess.tolist()
        ([[3, 1]], [0.25], [0.25])
    """
    counts = count_states(states, members_of(fold.astype(np.int64), sets=folds))
    return Balance(counts.photos, counts.present)


def unavoidable(photos: np.ndarray, *, folds: int = FOLDS) -> np.ndarray:
    """Return the least deviation that whole photos allow, 0..1; NaN for none.

    Example:
        >>> unavoidable(np.array([1, 15, 20])).round(4).tolist()
        [0.9, 0.0333, 0.0]
    """
    fewest, most = photos // folds, -(-photos // folds)
    away = np.maximum(most / np.maximum(photos, 1) - 1 / folds, 1 / folds - fewest / np.maximum(photos, 1))
    # 0.1 has no exact binary form.
    return np.where(photos > 0, np.where(photos % folds == 0, 0.0, away), np.nan)
