"""Copies of photos in a data set: which there are, and whether they share folds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FEW = 0.01
"""Share of a data set's photos that are copies below which only those move, and all others keep the folds that they
would have without them."""


@dataclass(frozen=True)
class Copies:
    """Groups of photos that are copies of each other, or belong together as their source says."""

    groups: int
    photos: int
    """In all of the groups."""
    across: int
    """Groups with photos in more than one of training, validation and test."""
    example: tuple[str, ...] = ()
    """Two photos of a group that is across."""

    def figures(self) -> dict[str, float]:
        """Return the counts as metrics of a run."""
        return {"copies/groups": self.groups, "copies/photos": self.photos, "copies/across_parts": self.across}

    def sentence(self) -> str:
        """Return it in a sentence, ``""`` if there are no copies.

        Example:
            >>> Copies(groups=12, photos=31, across=0).sentence()
            'copies: 12 groups of copies, 31 photos, share folds'
        """
        if not self.groups:
            return ""
        many = "1 group" if self.groups == 1 else f"{self.groups:,} groups"
        sentence = f"copies: {many} of copies, {self.photos:,} photos, share folds"
        if not self.across:
            return sentence
        return (
            f"{sentence}, but for {self.across:,} that a published split or folds given earlier put across training, "
            f"validation and test, for instance {' and '.join(self.example)}: figures of the test fold flatter"
        )


def count_copies(groups: np.ndarray, parts: np.ndarray, name: Callable[[int], str]) -> Copies:
    """Count the groups of two photos and more.

    Args:
        groups: Group of each photo, (photos,).
        parts: Which part each photo is in: train, validation or test, (photos,).
        name: Of a photo, for people.

    Example:
        >>> count_copies(np.array([0, 1, 1, 0, 4]), np.array([0, 1, 1, 2, 0]), str)
        Copies(groups=2, photos=4, across=1, example=('0', '3'))
    """
    order = np.argsort(groups, kind="stable")
    _, begin, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    # A part other than that of the first in the group.
    differs = parts[order] != np.repeat(parts[order][begin], sizes)
    across = np.flatnonzero(np.add.reduceat(differs, begin)) if len(begin) else begin
    example: tuple[str, ...] = ()
    if len(across):
        members = order[begin[across[0]] : begin[across[0]] + sizes[across[0]]]
        other = members[parts[members] != parts[members[0]]][0]
        example = (name(int(members[0])), name(int(other)))
    several = sizes[sizes > 1]
    return Copies(len(several), int(several.sum()), len(across), example)
