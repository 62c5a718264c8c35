"""From a detector's classes to labels: the label system says what a vocabulary's names mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.tags.detector.classes import NO_CLASS

if TYPE_CHECKING:
    # A bundle has its classes mapped already, and may have no YAML.
    from tagger.data.taxonomy import Taxonomy

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Which labels each class of a detector speaks for.

    Args:
        labels: Ids in column order.
        of_class: Columns of the labels, for every class.
    """

    labels: tuple[str, ...]
    of_class: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, classes: Sequence[str], taxonomy: "Taxonomy", *, vocabulary: str = "coco") -> "ClassMap":
        """Map a detector's classes through what the label system says of a vocabulary.

        Raises:
            UserError: If no class means any label.

        Example:
            >>> from tagger.data.taxonomy import Label, Taxonomy
            >>> boats = Label("boats", {}, sources={"coco": ("boat",)})
            >>> ClassMap.of(["N/A", "boat", "tie"], Taxonomy("mine", (boats,))).of_class
            ((), (0,), ())
        """
        columns = taxonomy.columns_of(vocabulary)
        of_class = tuple(() if name in NO_CLASS else columns.get(name, ()) for name in classes)
        if not any(of_class):
            raise UserError(
                f"none of the detector's {len(classes)} classes means a label of {taxonomy.name!r}: state what they "
                f"are called there as `sources: {{{vocabulary}: […]}}` of its labels, or set detector=none"
            )
        return cls(taxonomy.ids, of_class)

    @classmethod
    def from_recipe(cls, labels: Sequence[str], classes: Sequence[str], ids: Mapping[str, Sequence[str]]) -> "ClassMap":
        """Build the map again from what `as_recipe` gave."""
        column = {id_: number for number, id_ in enumerate(labels)}
        return cls(tuple(labels), tuple(tuple(column[id_] for id_ in ids.get(name, ())) for name in classes))

    def as_recipe(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return the labels of every class that means some, by the class's name, as plain values."""
        pairs = zip(classes, self.of_class, strict=True)
        return {name: [self.labels[column] for column in columns] for name, columns in pairs if columns}

    @property
    def candidates(self) -> NDArray[np.int64]:
        """Columns of the labels that some class speaks for, ascending."""
        return np.unique([column for columns in self.of_class for column in columns]).astype(np.int64)

    def unmapped(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Return the classes that mean no label."""
        pairs = zip(classes, self.of_class, strict=True)
        return tuple(name for name, columns in pairs if not columns and name not in NO_CLASS)

    def to_labels(self, highest: Floats, *, floor: float = 0.0) -> NDArray[np.float32]:
        """Return the highest score of every label, (photos, labels), 0 where there is none.

        Args:
            highest: Highest score of every class, (photos, classes).
            floor: Detections below it are none.

        Example:
            >>> animals = ClassMap(("animal", "sky"), ((0,), (0,), ()))
            >>> animals.to_labels(np.array([[0.25, 0.5, 0.75], [0.03, 0.0, 1.0]]), floor=0.05)
            array([[0.5, 0. ],
                   [0. , 0. ]], dtype=float32)
        """
        scores = np.zeros((len(highest), len(self.labels)), np.float32)
        for number, columns in enumerate(self.of_class):
            for column in columns:
                np.maximum(scores[:, column], highest[:, number], out=scores[:, column], casting="same_kind")
        return np.where(scores < floor, np.float32(0), scores)
