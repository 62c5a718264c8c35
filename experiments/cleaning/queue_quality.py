"""How good a queue is where the truth is known: precision and recall of its first tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tagger.cleaning.queue.table import MISSING, MISTAKEN
from tagger.data.states import ABSENT, PRESENT

DENIED, BOTH = "missing, not unknown", "both"
KINDS = (MISSING, DENIED, MISTAKEN, BOTH)
"""Of the labels that may be missing, those that were said to be absent are looked at by themselves, too."""


@dataclass(frozen=True)
class Quality:
    """Of the first tasks of a kind in one order."""

    kind: str
    order: str
    tasks: int
    precision: float
    """Share of the tasks in which a label is there and not said to be, or said to be there and is not."""
    recall: float
    """Share found of all that are so."""


CHANCES = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Ends of the bins in which the queue's probabilities are compared with what is so."""


@dataclass(frozen=True)
class Calibrated:
    """Tasks that the queue gives about the same probability of being wrong."""

    kind: str
    low: float
    high: float
    tasks: int
    expected: float
    """Their mean probability."""
    wrong: float
    """Share that is wrong."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Photos and labels about which one kind of question can be asked, and what is right."""

    kind: str
    rows: np.ndarray
    columns: np.ndarray
    wrong: np.ndarray
    """Where the label is there and not said to be, or said to be there and is not; boolean (pairs,)."""

    @classmethod
    def of(cls, kind: str, states: np.ndarray, truth: np.ndarray) -> "Pairs":
        """Return those of a kind: a label can be missing where nobody says it is there, mistaken where somebody does.

        Args:
            kind: One of ``KINDS``.
            states: int8 (photos, labels).
            truth: int8 (photos, labels).

        Example:
            >>> pairs = Pairs.of("missing", np.array([[1, 0, -1]]), np.array([[1, 1, 1]]))
            >>> pairs.columns.tolist(), pairs.wrong.tolist()
            ([1, 2], [True, True])
        """
        is_said, is_there = states == PRESENT, truth == PRESENT
        of_kind = {MISSING: ~is_said, DENIED: states == ABSENT, MISTAKEN: is_said, BOTH: np.ones_like(is_said)}
        rows, columns = np.nonzero(of_kind[kind])
        return cls(kind, rows, columns, (is_said != is_there)[rows, columns])

    def quality(self, order: np.ndarray, name: str, budgets: Sequence[int]) -> Iterator[Quality]:
        """Yield how good the first tasks of an order are.

        Args:
            order: Places in these pairs, best first.
            name: Of the order.
            budgets: How many tasks.
        """
        found = np.cumsum(self.wrong[order])
        for tasks in (tasks for tasks in budgets if tasks <= len(order)):
            right = int(found[tasks - 1])
            yield Quality(self.kind, name, tasks, right / tasks, right / int(self.wrong.sum()))

    def at_random(self, budgets: Sequence[int]) -> Iterator[Quality]:
        """Yield what is to be expected of tasks that are drawn at random."""
        for tasks in (tasks for tasks in budgets if tasks <= len(self.wrong)):
            yield Quality(self.kind, "random", tasks, float(self.wrong.mean()), tasks / len(self.wrong))


def cleanlab_alone(scores: np.ndarray, states: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the pairs in the order of cleanlab by itself, which knows no unknown and takes it for absent.

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


@dataclass(frozen=True, eq=False)
class Asked:
    """The tasks of a queue that is ranked by margin; it may have every pair that can be asked about."""

    queue: pa.Table
    """Rows of ``QUEUE_SCHEMA``."""
    rows: np.ndarray
    """Photo of every task, int (tasks,)."""
    columns: np.ndarray
    """Label of every task, int (tasks,)."""

    def in_order(self, pairs: Pairs) -> np.ndarray:
        """Return the places of its tasks in the pairs of one kind, best first."""
        places = self.places(pairs)
        return places[places >= 0]

    def orders(self, pairs: Pairs) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the order of a queue of all pairs, of one kind, and others that its figures allow."""
        places = self.places(pairs)
        of_kind = places >= 0
        yield "queue", places[of_kind]
        # What it cannot judge, NaN, comes last.
        yield "rank=cleanlab", places[of_kind][np.argsort(self.figures("cleanlab")[of_kind], kind="stable")]
        if pairs.kind == BOTH:
            yield "one list by margin", places[np.argsort(-self.figures("margin"), kind="stable")]

    def calibration(self, pairs: Pairs) -> Iterator[Calibrated]:
        """Yield what the margins of one kind promise, and what is so."""
        places = self.places(pairs)
        chance, wrong = self.figures("margin")[places >= 0] + 0.5, pairs.wrong[places[places >= 0]]
        for low, high in pairwise(CHANCES):
            own = (chance >= low) & ((chance < high) | (high == 1))
            if own.any():
                yield Calibrated(
                    pairs.kind, low, high, int(own.sum()), float(chance[own].mean()), float(wrong[own].mean())
                )

    def places(self, pairs: Pairs) -> np.ndarray:
        """Return the place of every task in the pairs, -1 for what is not of their kind."""
        rows, columns = (np.concatenate(both) for both in ((self.rows, pairs.rows), (self.columns, pairs.columns)))
        place = np.full((rows.max() + 1, columns.max() + 1), -1)
        place[pairs.rows, pairs.columns] = np.arange(len(pairs.rows))
        return place[self.rows, self.columns]

    def figures(self, name: str) -> np.ndarray:
        """Return a column of figures, NaN where there is none."""
        return self.queue[name].to_numpy().astype(np.float64)
