"""Relations that a profile adds, applied to a bundle's scores: `tagger.tags.relations.rules` in numpy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError

Relation = tuple[str, str, str]
"""Kind (``parents``, ``implies`` or ``excludes``), label, other label."""


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

        column = {id_: number for number, id_ in enumerate(labels)}
        stated: dict[str, tuple[str, ...]] = dict.fromkeys(labels, ())
        for kind, label, other in relations:
            if kind != "excludes":
                stated[label] += (other,)
        follows = closure(stated)
        _refuse_circles(labels, follows)
        pairs = {
            tuple(sorted((column[label], column[other]))) for kind, label, other in relations if kind == "excludes"
        }
        self.excluding = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        _refuse_contradictions(labels, follows, self.excluding)
        self.follows = follows
        self.sources, self.targets = np.nonzero(follows & ~np.eye(len(labels), dtype=bool))

    def __call__(
        self, scores: NDArray[np.float32], origins: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return completed scores and why each is what it is, both (photos, labels)."""
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
            # A source that itself follows from something was raised by the graph: say what the graph said.
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


def _refuse_circles(labels: Sequence[str], follows: NDArray[np.bool_]) -> None:
    both = np.argwhere(np.triu(follows & follows.T, k=1))
    if len(both):
        one, other = (labels[number] for number in both[0])
        raise UserError(f"profile, implies: {one} and {other} would follow from each other")


def _refuse_contradictions(labels: Sequence[str], follows: NDArray[np.bool_], excluding: NDArray[np.int64]) -> None:
    for one, other in excluding.tolist():
        both = np.flatnonzero(follows[:, one] & follows[:, other])
        if len(both):
            raise UserError(
                f"profile, excludes: {labels[both[0]]} implies both {labels[one]} and {labels[other]}, "
                "which exclude each other"
            )
