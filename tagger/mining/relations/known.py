"""What a label system states, and what a further relation would be to it: known, new, or a contradiction."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.data.taxonomy import Taxonomy

Bools = NDArray[np.bool_]


class Verdict(NamedTuple):
    """What a label system says about a relation."""

    status: Literal["known", "new", "contradicting"]
    why: str = ""
    """Of a contradiction."""


@dataclass(frozen=True, eq=False)
class Known:
    """What follows from what, and what excludes what; labels are columns."""

    ids: tuple[str, ...]
    follows: Bools
    """(labels, labels): label j is true whenever label i is; i too."""
    stated: Bools
    """(labels, labels), symmetric: the two exclude each other by the label system."""

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> "Known":
        """Return what a label system knows."""
        stated = np.zeros((len(taxonomy), len(taxonomy)), dtype=bool)
        for column, label in enumerate(taxonomy.labels):
            others = [taxonomy.column[other] for other in label.excludes]
            stated[column, others] = stated[others, column] = True
        return cls(taxonomy.ids, taxonomy.closure, stated)

    @cached_property
    def excluded(self) -> Bools:
        """(labels, labels): the two cannot be true together, by what is stated and by all that follows from them."""
        follows = self.follows.astype(np.float32)
        return follows @ self.stated.astype(np.float32) @ follows.T > 0

    def implication(self, label: int, other: int) -> Verdict:
        """Say what it would be that ``other`` follows from ``label``.

        Example:
            >>> ids, follows = ("dog", "animal"), np.array([[True, True], [False, True]])
            >>> known = Known(ids, follows, np.zeros((2, 2), dtype=bool))
            >>> known.implication(0, 1).status
            'known'
            >>> known.implication(1, 0)
            Verdict(status='contradicting', why='animal follows from dog: both ways they would be one label')
        """
        if self.follows[label, other]:
            return Verdict("known")
        if self.follows[other, label]:
            one, two = self.ids[label], self.ids[other]
            return Verdict("contradicting", f"{one} follows from {two}: both ways they would be one label")
        # All from which the label follows would get the other as well.
        impossible = np.flatnonzero(self.follows[:, label] & self.excluded[:, other])
        if len(impossible):
            first = label if self.excluded[label, other] else impossible[0]
            return Verdict("contradicting", f"{self.ids[first]} excludes {self.ids[other]}")
        return Verdict("new")

    def exclusion(self, label: int, other: int) -> Verdict:
        """Say what it would be that the two exclude each other.

        Example:
            >>> follows = np.array([[True, False, True], [False, True, True], [False, False, True]])
            >>> known = Known(("beach", "snow", "scene"), follows, np.zeros((3, 3), dtype=bool))
            >>> known.exclusion(0, 1).status, known.exclusion(0, 2).why
            ('new', 'scene follows from beach')
        """
        if self.excluded[label, other]:
            return Verdict("known")
        for one, two in ((label, other), (other, label)):
            if self.follows[one, two]:
                return Verdict("contradicting", f"{self.ids[two]} follows from {self.ids[one]}")
        both = np.flatnonzero(self.follows[:, label] & self.follows[:, other])
        return Verdict("contradicting", f"both follow from {self.ids[both[0]]}") if len(both) else Verdict("new")

    def correlation(self, label: int, other: int, *, positive: bool) -> Verdict:
        """Say what it is that the two go together, or avoid each other: what excludes each other does not meet."""
        if self.follows[label, other] or self.follows[other, label]:
            return Verdict("known") if positive else Verdict("contradicting", "one follows from the other")
        if self.excluded[label, other]:
            return Verdict("contradicting", "they exclude each other") if positive else Verdict("known")
        return Verdict("new")

    def with_implication(self, label: int, other: int) -> "Known":
        """Return what is known if ``other`` follows from ``label`` as well."""
        return replace(self, follows=self.follows | np.outer(self.follows[:, label], self.follows[other]))
