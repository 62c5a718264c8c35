"""Relations that a profile adds, applied to a bundle's scores: `tagger.tags.relations.rules` in numpy."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError

Relation = tuple[str, str, str]
"""Kind (``parents``, ``implies`` or ``excludes``), label, other label."""

MAX_RELATED = 3000
"""Most labels with relations, and a hundred times as many may follow from others: a chain of them takes seconds."""


class Completion:
    """Scores in, completed scores out; what follows is raised, of what is excluded the lower falls away.

    Args:
        labels: Ids in column order.
        relations: The bundle's and those that are added, whose labels are among them.

    Raises:
        UserError: If a label would follow from itself, or follow from what excludes it.

    Example:
        >>> completion = Completion(["pool", "water", "nature"], [("implies", "pool", "water"),
        ...                                                       ("parents", "water", "nature")])
        >>> scores, origins = np.array([[0.9, 0.1, 0.2]], np.float32), np.arange(3)[None]
        >>> completion(scores, origins)
        (array([[0.9, 0.9, 0.9]], dtype=float32), array([[0, 0, 0]]))
    """

    def __init__(self, labels: Sequence[str], relations: Sequence[Relation]) -> None:
        from tagger.data.taxonomy.label_system import closure

        # Only the labels of some relation: which follow from which is a square of them.
        named = {id_ for _, *pair in relations for id_ in pair}
        self.columns = np.array([number for number, id_ in enumerate(labels) if id_ in named], dtype=np.int64)
        labels = [labels[number] for number in self.columns]
        _refuse_many(len(labels), MAX_RELATED, "labels that have relations")
        column = {id_: number for number, id_ in enumerate(labels)}
        stated: dict[str, tuple[str, ...]] = dict.fromkeys(labels, ())
        for kind, label, other in relations:
            if kind != "excludes":
                stated[label] += (other,)
        _refuse_circles(stated)
        follows = closure(stated)
        pairs = {
            tuple(sorted((column[label], column[other]))) for kind, label, other in relations if kind == "excludes"
        }
        self.excluding = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        _refuse_many(len(pairs), MAX_RELATED, "pairs that exclude each other")
        _refuse_contradictions(labels, follows, self.excluding)
        self.follows = follows
        self.sources, self.targets = np.nonzero(follows & ~np.eye(len(labels), dtype=bool))
        _refuse_many(len(self.sources), 100 * MAX_RELATED, "pairs of which one follows from the other")

    def __call__(
        self, scores: NDArray[np.float32], origins: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return completed scores and why each is what it is, both (photos, labels)."""
        all_scores, all_origins = scores.copy(), np.array(origins)
        all_scores[:, self.columns], all_origins[:, self.columns] = self._completed(
            scores[:, self.columns], origins[:, self.columns]
        )
        return all_scores, all_origins

    def _completed(
        self, scores: NDArray[np.float32], origins: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        completed = self._raised(scores, origins)
        if not len(self.excluding):
            return completed
        fallen = self._fallen(completed[0])
        return self._raised(np.where(fallen, np.float32(0), scores), origins)

    def _raised(
        self, scores: NDArray[np.float32], origins: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        raised, why = scores.copy(), np.array(origins)
        for source, target in zip(self.sources, self.targets, strict=True):
            higher = scores[:, source] > raised[:, target]
            raised[higher, target] = scores[higher, source]
            # A source that itself follows from something was raised by the graph: tell what the graph gave.
            why[higher, target] = origins[higher, source]
        return raised, why

    def _fallen(self, completed: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which labels fall away: the lower of each excluding pair, and all from which it follows."""
        one, other = completed[:, self.excluding[:, 0]], completed[:, self.excluding[:, 1]]
        # Of equals the first in column order stays.
        second_falls = (one >= other).astype(np.float32)
        below = self.follows.T[self.excluding].astype(np.float32)
        fallen: NDArray[np.bool_] = ((1 - second_falls) @ below[:, 0] + second_falls @ below[:, 1]) > 0
        return fallen


def _refuse_many(count: int, most: int, what: str) -> None:
    if count > most:
        raise UserError(f"profile: with its relations there are {count:,} {what}; at most {most:,} can be completed")


def _refuse_circles(stated: Mapping[str, Sequence[str]]) -> None:
    try:
        TopologicalSorter(stated).prepare()
    except CycleError as error:
        one, other, *_ = sorted(set(error.args[1]), key=list(stated).index)
        raise UserError(f"profile, implies: {one} and {other} would follow from each other") from error


def _refuse_contradictions(labels: Sequence[str], follows: NDArray[np.bool_], excluding: NDArray[np.int64]) -> None:
    for one, other in excluding.tolist():
        both = np.flatnonzero(follows[:, one] & follows[:, other])
        if len(both):
            raise UserError(
                f"profile, excludes: {labels[both[0]]} implies both {labels[one]} and {labels[other]}, "
                "which exclude each other"
            )
