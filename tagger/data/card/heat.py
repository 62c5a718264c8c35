"""The heat map of labels that come together, laid out for the template to draw."""

import math
from dataclasses import dataclass

from rich.cells import cell_len

from tagger.data.card.lift import Lifts, Pair, side_by_side
from tagger.data.taxonomy import Taxonomy
from tagger.pages.visible import visible

SIDE = 16
"""Pixels of a cell."""


@dataclass(frozen=True)
class Cell:
    """Two labels."""

    row: int
    column: int
    strength: float
    """How dark, 0..1."""
    more: bool
    """Whether they come together more often than by chance."""
    says: str


@dataclass(frozen=True)
class HeatMap:
    """Cells among the labels of the strongest pairs."""

    names: list[str]
    cells: list[Cell]
    margin: int
    """Pixels for the names, on the left and above."""

    @property
    def width(self) -> int:
        """Pixels of the whole; the slanted names above lean to the right."""
        return self.margin + SIDE * len(self.names) + self.margin // 2


def heat_map(pairs: list[Pair], found: Lifts, taxonomy: Taxonomy, *, support: int = 5) -> HeatMap:
    """Lay out the labels of the strongest pairs and every pair among them that has enough photos together."""
    labels = side_by_side(pairs)
    names = [called(taxonomy, label) for label in labels]
    top = math.log(max((pair.lift for pair in pairs), default=2.0))
    cells = []
    for row, first in enumerate(labels):
        for column, second in enumerate(labels):
            lift, together = float(found.lift[first, second]), int(found.together[first, second])
            related = taxonomy.closure[first, second] or taxonomy.closure[second, first]
            if related or together < support or not lift > 0:
                continue
            says = f"{names[row]} and {names[column]}: {lift:.2g} times as often as by chance, {together:,} photos"
            cells.append(Cell(row, column, round(min(1, abs(math.log(lift)) / top), 2), lift > 1, says))
    return HeatMap(names, cells, 10 + math.ceil(6.2 * max((cell_len(name) for name in names), default=0)))


def called(taxonomy: Taxonomy, label: int, *, most: int = 24) -> str:
    """Return what a label is called in a drawing: in English if it has such a name, and not too long."""
    name = visible(taxonomy.labels[label].names.get("en") or taxonomy.ids[label])
    return name if len(name) <= most else f"{name[: most - 1]}…"
