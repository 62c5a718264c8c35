"""How good a queue is where the truth is known: precision and recall of its first tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tagger.cleaning.queue_table import MISSING, MISTAKEN
from tagger.data.states import ABSENT, PRESENT

KINDS = (MISSING, MISTAKEN)


@dataclass(frozen=True)
class Quality:
    """Of the first tasks of one kind in one order."""

    kind: str
    order: str
    budget: int
    precision: float
    """Share of the tasks in which the annotation is truly wrong, or truly missing."""
    recall: float
    """Share found of all that are wrong, or missing."""
    denied: float
    """Of kind missing: share found of those that are said to be absent and are there, without the unknown ones."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Photos and labels about which one kind of question can be asked, and what is right."""

    kind: str
    rows: np.ndarray
    columns: np.ndarray
    wrong: np.ndarray
    """Boolean (pairs,)."""
    denied: np.ndarray
    """Which of them are said to be absent, boolean (pairs,)."""

    @classmethod
    def of(cls, kind: str, states: np.ndarray, truth: np.ndarray) -> "Pairs":
        """Return those of a kind: label missing where nobody says that it is there, mistaken where somebody does.

        Args:
            kind: missing or mistaken.
            states: int8 (photos, labels).
            truth: int8 (photos, labels).
        """
        rows, columns = np.nonzero((states == PRESENT) == (kind == MISTAKEN))
        wrong = (truth[rows, columns] == PRESENT) == (kind == MISSING)
        return cls(kind, rows, columns, wrong, states[rows, columns] == ABSENT)

    def quality(self, order: np.ndarray, name: str, budgets: Sequence[int]) -> Iterator[Quality]:
        """Yield how good the first tasks are.

        Args:
            order: Places in these pairs, best first; it may end early.
            name: Of the order.
            budgets: Tasks; those that the order has not got are left out.
        """
        found = np.cumsum(self.wrong[order])
        denied = np.cumsum((self.wrong & self.denied)[order])
        for budget in (budget for budget in budgets if budget <= len(order)):
            yield Quality(
                self.kind,
                name,
                budget,
                precision=found[budget - 1] / budget,
                recall=found[budget - 1] / self.wrong.sum(),
                denied=denied[budget - 1] / max(1, int((self.wrong & self.denied).sum())),
            )

    def at_random(self, budgets: Sequence[int]) -> Iterator[Quality]:
        """Yield what is to be expected of tasks that are drawn at random."""
        for budget in (budget for budget in budgets if budget <= len(self.wrong)):
            share = budget / len(self.wrong)
            yield Quality(self.kind, "random", budget, float(self.wrong.mean()), share, share)

    def order_of(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the places of photos and labels in these pairs.

        Raises:
            KeyError: If one is not among them.
        """
        places = {pair: place for place, pair in enumerate(zip(self.rows.tolist(), self.columns.tolist(), strict=True))}
        return np.array([places[pair] for pair in zip(rows.tolist(), columns.tolist(), strict=True)], dtype=np.int64)


def cleanlab_alone(scores: np.ndarray, states: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the pairs as cleanlab orders them by itself, which knows no unknown and takes it for absent.

    Those that its multi-label filter calls issues come first, then the others; by its quality score within either.

    Args:
        scores: Out of fold, (photos, labels), 0..1.
        states: int8 (photos, labels).
        pairs: What is ordered.
    """
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    labels = [np.flatnonzero(row == PRESENT).tolist() for row in states]
    issues = np.asarray(find_multilabel_issues_per_class(labels, scores, n_jobs=1))
    quality = get_label_quality_scores_per_class(labels, scores)
    at = pairs.rows, pairs.columns
    return np.lexsort((quality[at], ~issues[at]))


def queue_orders(
    queue: pa.Table, pairs: Pairs, rows: np.ndarray, columns: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the queue's own order of a kind and those by its two rankings.

    Args:
        queue: Of ``QUEUE_SCHEMA``.
        pairs: Of one kind.
        rows: Photo of every task, int (tasks,).
        columns: Label of every task, int (tasks,).
    """
    of_kind = np.flatnonzero(queue["kind"].to_numpy() == pairs.kind)
    places = pairs.order_of(rows[of_kind], columns[of_kind])
    rank = queue["rank"].to_numpy()[of_kind]
    yield "queue", places[np.argsort(rank, kind="stable")]
    for name, best_first in (("margin", -1), ("cleanlab", 1)):
        figures = queue[name].to_numpy().astype(np.float64)[of_kind]
        if not np.isnan(figures).all():
            yield f"queue by {name}", places[np.argsort(best_first * figures, kind="stable")]
