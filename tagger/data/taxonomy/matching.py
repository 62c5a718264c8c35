"""One label system out of another: which labels went on, under what name, which were joined, and which are new."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from tagger.data.taxonomy.label_system import Taxonomy


@dataclass(frozen=True)
class Match:
    """The labels of a label system and those of an earlier one that they come from."""

    ids: tuple[str, ...]
    """Ids of the labels, in column order."""
    earlier: tuple[str, ...]
    """Ids of the earlier labels, in their column order."""
    sources: tuple[tuple[int, ...], ...]
    """Of every label the columns of the earlier labels that it was, (labels,): none if it is new, several if they were
    merged into it."""

    @property
    def new(self) -> list[int]:
        """Columns of the labels that come from none."""
        return [column for column, own in enumerate(self.sources) if not own]

    @property
    def carried(self) -> list[int]:
        """Columns of the labels that are one earlier label, under its id or another."""
        return [column for column, own in enumerate(self.sources) if len(own) == 1]

    @property
    def merged(self) -> list[int]:
        """Columns of the labels that several earlier ones became."""
        return [column for column, own in enumerate(self.sources) if len(own) > 1]

    @property
    def removed(self) -> list[int]:
        """Columns of the earlier labels that no label comes from."""
        gone_on = {column for own in self.sources for column in own}
        return [column for column in range(len(self.earlier)) if column not in gone_on]

    def change(self, column: int) -> str:
        """Return what became of a label: ``same``, ``renamed``, ``merged`` or ``new``."""
        own = self.sources[column]
        if len(own) == 1:
            return "same" if self.earlier[own[0]] == self.ids[column] else "renamed"
        return "merged" if own else "new"

    def lookalikes(self) -> list[tuple[str, str]]:
        """Return removed and new labels whose ids look alike, most likely a rename that no alias tells of.

        Example:
            >>> from tagger.data.taxonomy import Label
            >>> system = Taxonomy("mine", tuple(Label(id_, {}) for id_ in ("animal.dogs", "animal.cat")))
            >>> match(["animal.dog", "animal.cat"], system).lookalikes()
            [('animal.dog', 'animal.dogs')]
        """
        new = [self.ids[column] for column in self.new]
        pairs = []
        for id_ in (self.earlier[column] for column in self.removed):
            pairs += [(id_, near) for near in difflib.get_close_matches(id_, new, n=1, cutoff=0.85)]
        return pairs


def match(earlier: Sequence[str], taxonomy: Taxonomy) -> Match:
    """Match the labels of a label system with those of an earlier one, by id, or by an alias that is an earlier id.

    Args:
        earlier: Ids of the earlier labels.
        taxonomy: A label that was renamed has its earlier id among its aliases; one that several labels were merged
            into has theirs.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> labels = Label("dog", {}, aliases=("puppy",)), Label("feline", {}, aliases=("cat",)), Label("okapi", {})
        >>> found = match(["dog", "cat", "puppy", "unicorn"], Taxonomy("mine", labels))
        >>> found.sources, found.removed
        (((0, 2), (1,), ()), [3])
    """
    became = [taxonomy.columns.get(id_) for id_ in earlier]
    sources = tuple(
        tuple(column for column, own in enumerate(became) if own == label) for label in range(len(taxonomy))
    )
    return Match(taxonomy.ids, tuple(earlier), sources)
