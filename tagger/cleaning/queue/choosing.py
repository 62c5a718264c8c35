"""Which pairs of photo and label people should look at: the probably wrong ones, as many as they have time for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.sparse import csr_array

from tagger.cleaning.queue.chances import calibrated, chance_missing, chance_mistaken, cleanlab_quality
from tagger.cleaning.queue.table import MISSING, MISTAKEN
from tagger.data.states import PRESENT

RANKS = ("margin", "cleanlab")
"""What pairs may be ranked by."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of photo and label as arrays of equal length."""

    row: np.ndarray
    """Of the photo, int64."""
    column: np.ndarray
    """Of the label, int64."""
    score: np.ndarray
    """Out of fold, 0..1; NaN of photos without scores."""
    margin: np.ndarray
    """Probability that the annotation is wrong, less one half: -0.5..0.5; NaN where nobody judged it."""
    cleanlab: np.ndarray
    """Quality of the annotation, 0..1; NaN where cleanlab has none."""

    def __len__(self) -> int:
        return len(self.row)

    def take(self, places: np.ndarray) -> "Pairs":
        """Return these pairs, in this order."""
        return Pairs(*(getattr(self, field.name)[places] for field in fields(self)))

    def by(self, rank: str) -> np.ndarray:
        """Return the places of the pairs, the most probably wrong first; those that ``rank`` cannot judge come last."""
        judged = -self.margin if rank == "margin" else self.cleanlab
        # Of equals the margin decides, then where they lie: the same pairs give the same queue.
        return np.lexsort((self.column, self.row, -self.margin, judged))


def choose(
    scores: np.ndarray,
    states: csr_array,
    *,
    unknown: np.ndarray,
    annotated: csr_array,
    closed: csr_array,
    columns: Collection[int],
    kinds: Sequence[str] = (MISSING, MISTAKEN),
    rank: str = "margin",
    noise: float = 0.05,
    budget: int | None = None,
    per_label: int | None = None,
) -> dict[str, Pairs]:
    """Return the pairs to ask about, by kind, best first.

    The budget is shared evenly by the kinds; what one of them cannot use the other gets.

    Args:
        scores: Out of fold, (photos, labels), 0..1.
        states: PRESENT, ABSENT, nothing stored where unknown, int8 (photos, labels).
        unknown: What an unknown state weighs as a negative on every photo, 0..1, (photos,).
        annotated: The states that somebody annotated, of the same shape: what only follows from another label is
            mistaken if that one is, so it is not asked about.
        closed: Stored where people have decided: not asked again; of the same shape.
        columns: Labels to ask about.
        kinds: Kinds of tasks wanted.
        rank: ``margin`` or ``cleanlab``.
        noise: Share of the annotations that are expected to be wrong, in (0, 1): of the present ones, and of the labels
            that are there.
        budget: Tasks in all; None: no limit.
        per_label: Tasks of a kind for one label; None: no limit.
    """
    most = min(limit for limit in (budget, per_label, len(scores)) if limit is not None)
    by_column = [matrix.tocsc() for matrix in (states, annotated, closed)]
    found: dict[str, list[Pairs]] = {kind: [] for kind in kinds}
    for column in sorted(columns):
        state, spoken, is_closed = (_dense(matrix, column) for matrix in by_column)
        values = scores[:, column]
        probability = calibrated(values, state, unknown)
        quality = cleanlab_quality(values, state, unknown)
        for kind, own in found.items():
            asked = (spoken == PRESENT) if kind == MISTAKEN else (state != PRESENT)
            rows = np.flatnonzero(asked & (is_closed == 0))
            if kind == MISTAKEN:
                wrong = chance_mistaken(probability[rows], noise=noise, share=float((state == PRESENT).mean()))
            else:
                wrong = chance_missing(probability[rows], state[rows], unknown[rows], noise=noise)
            pairs = Pairs(rows, np.full(len(rows), column), values[rows], wrong - 0.5, quality[rows])
            own.append(pairs.take(pairs.by(rank)[:most]))
    ranked = {kind: joined.take(joined.by(rank)) for kind, own in found.items() if (joined := _joined(own)) is not None}
    shares = shared(budget, {kind: len(pairs) for kind, pairs in ranked.items()})
    return {kind: pairs.take(np.arange(shares[kind])) for kind, pairs in ranked.items()}


def shared(budget: int | None, wanted: dict[str, int]) -> dict[str, int]:
    """Return how many tasks every kind gets: even shares, and what one cannot use goes to the others.

    Example:
        >>> shared(10, {"missing": 100, "mistaken": 3}), shared(7, {"missing": 100, "mistaken": 100})
        ({'missing': 7, 'mistaken': 3}, {'missing': 3, 'mistaken': 4})
    """
    if budget is None:
        return dict(wanted)
    left, shares = budget, {}
    by_size = sorted(wanted, key=lambda kind: wanted[kind])
    for number, kind in enumerate(by_size):
        shares[kind] = min(wanted[kind], left // (len(by_size) - number))
        left -= shares[kind]
    return {kind: shares[kind] for kind in wanted}


def _joined(parts: Sequence[Pairs]) -> Pairs | None:
    if not parts:
        return None
    return Pairs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Pairs)))


def _dense(matrix: csr_array, column: int) -> np.ndarray:
    own = slice(matrix.indptr[column], matrix.indptr[column + 1])
    dense = np.zeros(matrix.shape[0], dtype=np.int8)
    dense[matrix.indices[own]] = matrix.data[own]
    return dense
