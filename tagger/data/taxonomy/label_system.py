"""Labels and the relations between them, as they are used once the file has been read and found right."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np

from tagger.errors import UserError


class TaxonomyError(UserError):
    """A label system that cannot be used; the message lists every mistake."""


@dataclass(frozen=True)
class Label:
    """One label: what it is called, where it belongs, what it implies."""

    id: str
    names: dict[str, str]
    """Display name per language: ``{"en": "forest", "zh": "森林"}``."""
    parents: tuple[str, ...] = ()
    """Labels that are true whenever this one is, because it is a kind of them; any number."""
    implies: tuple[str, ...] = ()
    """Labels that are true whenever this one is, without its being a kind of them: a forest has trees."""
    excludes: tuple[str, ...] = ()
    """Labels that cannot be true beside this one."""
    definition: str = ""
    """What an annotator decides by: what counts and what does not."""
    aliases: tuple[str, ...] = ()
    """What any source may call it, beside its id."""
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What one source calls it, by vocabulary: ``{"open_images": ("/m/0dftk",)}``. Where it says so, it is present."""
    exact: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Those of the names that mean just this label: where they are absent it is absent. Apples absent are no fruit
    absent; its id and its aliases are always exact."""
    closed: bool = False
    """Whether it is nothing but its kinds, as a group of a published set is: absent where all of them are."""


@dataclass(frozen=True)
class Taxonomy:
    """The labels in a fixed order: column j of every ``(photos, labels)`` matrix is ``labels[j]``."""

    name: str
    labels: tuple[Label, ...]
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)
    """Names that deliberately map to nothing, with the reason: ``{vocabulary: {name: reason}}``."""
    fingerprint: str = field(compare=False, default="")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Label ids in column order."""
        return tuple(label.id for label in self.labels)

    @cached_property
    def column(self) -> dict[str, int]:
        """Column of every label id."""
        return {id_: column for column, id_ in enumerate(self.ids)}

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Ids of the labels without parents that other labels have as a parent."""
        parents = {parent for label in self.labels for parent in label.parents}
        return tuple(label.id for label in self.labels if not label.parents and label.id in parents)

    def above(self, id_: str) -> tuple[str, ...]:
        """Return the labels that this one is a kind of, through any number of parents, the nearest first.

        Example:
            >>> labels = Label("poodle", {}, ("dog",)), Label("dog", {}, ("animal",)), Label("animal", {})
            >>> Taxonomy("mine", labels).above("poodle")
            ('dog', 'animal')
        """
        found: dict[str, None] = {}
        nearest = [id_]
        while nearest:
            nearest = [parent for near in nearest for parent in self.labels[self.column[near]].parents]
            found |= dict.fromkeys(nearest)
        return tuple(found)

    def only(self, columns: Sequence[int]) -> "Taxonomy":
        """Return the label system of these labels, in this order, with the relations between them.

        Example:
            >>> labels = Label("poodle", {}, ("dog", "pet")), Label("dog", {}), Label("pet", {})
            >>> Taxonomy("mine", labels).only([1, 0]).labels[1].parents
            ('dog',)
        """
        kept = {self.ids[column] for column in columns}

        def within(others: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(other for other in others if other in kept)

        labels = tuple(
            replace(
                label,
                parents=within(label.parents),
                implies=within(label.implies),
                excludes=within(label.excludes),
            )
            for label in (self.labels[column] for column in columns)
        )
        return replace(self, labels=labels)

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of every name that any source may use: ids and aliases."""
        names = {alias: column for column, label in enumerate(self.labels) for alias in label.aliases}
        return names | self.column

    def columns_of(self, vocabulary: str) -> dict[str, tuple[int, ...]]:
        """Return the columns of every name that a source of this vocabulary may use: ids, aliases and its own names.

        Example:
            >>> Taxonomy("mine", (Label("tree", {}, sources={"corel5k": ("trees",)}),)).columns_of("corel5k")
            {'tree': (0,), 'trees': (0,)}
        """
        return self._columns(lambda label: label.sources.get(vocabulary, ()))

    def exact_columns_of(self, vocabulary: str) -> dict[str, tuple[int, ...]]:
        """Return the columns of the names that mean just their label, so that they can be absent.

        Example:
            >>> fruit = Label("fruit", {}, sources={"coco": ("apple", "fruits")}, exact={"coco": ("fruits",)})
            >>> Taxonomy("mine", (fruit,)).exact_columns_of("coco")
            {'fruit': (0,), 'fruits': (0,)}
        """
        return self._columns(lambda label: label.exact.get(vocabulary, ()))

    def looked_for(self, vocabulary: str, names: Iterable[str] | None = None) -> tuple[int, ...]:
        """Return the columns of the labels that a source decides about if it looked for all of its names.

        Labels that one of the names means exactly, and closed ones whose kinds are all among them.

        Args:
            vocabulary: Whose names they are.
            names: Those that the source declares, as the label system spells them. None: every name of the
                vocabulary that a label knows, and where it is the label system's own all labels.

        Example:
            >>> system = Taxonomy("mine", (Label("pet", {}), Label("dog", {}, ("pet",)), Label("cat", {}, ("pet",))))
            >>> system.looked_for(""), system.looked_for("coco", ["dog"])
            ((0, 1, 2), (1,))
        """
        if names is not None:
            exact = self.exact_columns_of(vocabulary)
            found = {column for name in names for column in exact.get(name, ())}
        elif vocabulary in ("", self.name):
            found = {*range(len(self))}
        else:
            found = {column for column, label in enumerate(self.labels) if label.exact.get(vocabulary)}
        before = -1
        while len(found) != before:
            before = len(found)
            found |= {column for column in self._kinds if self._kinds[column] <= found}
        return tuple(sorted(found))

    @cached_property
    def _kinds(self) -> dict[int, set[int]]:
        """Columns of the kinds of every closed label."""
        kinds: dict[int, set[int]] = {column: set() for column, label in enumerate(self.labels) if label.closed}
        for column, label in enumerate(self.labels):
            for parent in label.parents:
                if (above := self.column.get(parent)) in kinds:
                    kinds[above].add(column)
        return {column: own for column, own in kinds.items() if own}

    def _columns(self, own: Callable[[Label], tuple[str, ...]]) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for column, label in enumerate(self.labels):
            for name in dict.fromkeys((label.id, *label.aliases, *own(label))):
                found[name] = (*found.get(name, ()), column)
        return found

    def nearest(self, name: str, vocabulary: str = "") -> str | None:
        """Return the known name that looks most like ``name``, or None if none does."""
        close = difflib.get_close_matches(name, self.columns_of(vocabulary), n=1)
        return close[0] if close else None

    @cached_property
    def closure(self) -> np.ndarray:
        """Boolean (labels, labels): where label j is true whenever label i is, by parents and implications; i too."""
        return closure({label.id: (*label.parents, *label.implies) for label in self.labels})


def closure(implied: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Return which labels follow from which, boolean (labels, labels), the diagonal included.

    Example:
        >>> closure({"poodle": ("dog",), "dog": ("animal",), "animal": ()}).astype(int)
        array([[1, 1, 1],
               [0, 1, 1],
               [0, 0, 1]])
    """
    column = {id_: number for number, id_ in enumerate(implied)}
    above = {column[id_]: [column[other] for other in others] for id_, others in implied.items() if others}
    reached = np.eye(len(column), dtype=bool)
    try:
        # What follows comes first, so that each row is final when it is taken over.
        order = [number for number in TopologicalSorter(above).static_order() if number in above]
    except CycleError:
        order = list(above)
    is_final = False
    while not is_final:
        is_final = True
        for number in order:
            row = reached[number] | reached[above[number]].any(axis=0)
            is_final &= np.array_equal(row, reached[number])
            reached[number] = row
    return reached
