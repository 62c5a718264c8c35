"""The picture of the relations: labels that have one, and lines between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagger.data.taxonomy import Taxonomy
from tagger.data.taxonomy.label_system import closure
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.layout import HEIGHT, Floats, lay_out
from tagger.pages.template import page_template

LETTER = 7.4
"""Width of a letter in pixels, a little too much of most."""

MARGIN = 8.0


@dataclass(frozen=True)
class Node:
    """A label where it is drawn, in pixels."""

    label: str
    name: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Edge:
    """A relation where it is drawn: from the rim of one name to that of the other."""

    finding: Finding
    one: int
    """Place of the node."""
    other: int
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Graph:
    """What is drawn."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def drawn(findings: Sequence[Finding], taxonomy: Taxonomy) -> Graph:
    """Lay out what was found; what follows through a third label has no line of its own."""
    shown = direct([finding for finding in findings if finding.evidence in ("holds", "fails")])
    labels = sorted({end for finding in shown for end in (finding.label, finding.other)}, key=taxonomy.column.get)  # type: ignore[arg-type]
    place = {label: number for number, label in enumerate(labels)}
    names = [taxonomy.labels[taxonomy.column[label]].names.get("en", label) for label in labels]
    # Letters of East Asia are twice as wide.
    widths = [LETTER * sum(2 if ord(letter) > 0x2E80 else 1 for letter in name) + 18 for name in names]
    ends = [(place[finding.label], place[finding.other]) for finding in shown]
    layout = lay_out(widths, ends)
    places = layout.places + MARGIN
    nodes = tuple(
        Node(label, name, x, y, round(width, 1))
        for label, name, width, (x, y) in zip(labels, names, widths, places.round(1).tolist(), strict=True)
    )
    edges = tuple(
        Edge(
            finding,
            one,
            other,
            *_rim(places[one], places[other], widths[one]),
            *_rim(places[other], places[one], widths[other]),
        )
        for finding, (one, other) in zip(shown, ends, strict=True)
    )
    return Graph(nodes, edges, layout.width + 2 * MARGIN, layout.height + 2 * MARGIN)


def direct(findings: Sequence[Finding]) -> list[Finding]:
    """Leave implications out that follow through a third label.

    Two labels that follow from each other keep their lines.
    """
    implied: dict[str, tuple[str, ...]] = {}
    for finding in findings:
        for end in (finding.label, finding.other):
            implied.setdefault(end, ())
        if finding.kind == "implies":
            implied[finding.label] += (finding.other,)
    column, follows = {label: number for number, label in enumerate(implied)}, closure(implied)
    strictly = follows & ~follows.T

    def is_direct(finding: Finding) -> bool:
        one, other = column[finding.label], column[finding.other]
        return finding.kind != "implies" or not (strictly[one] & strictly[:, other]).any()

    return [finding for finding in findings if is_direct(finding)]


def _rim(start: Floats, end: Floats, width: float) -> tuple[float, float]:
    """Return where the line from the middle of a name to another leaves the name's box."""
    way = end - start
    with np.errstate(divide="ignore"):
        part = np.min(np.array([width / 2 + 1, HEIGHT / 2 - 1]) / np.abs(way))
    x, y = (start + way * min(float(part), 0.5)).round(1).tolist()
    return x, y


def graph_svg(graph: Graph) -> str:
    """Return the picture as a file of its own, in colours that follow the theme of who looks at it."""
    return page_template(Path(__file__).with_name("graph_file.svg")).render(graph=graph)
