"""Where the labels of a graph are drawn: what is connected lies close, no name lies on another."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EDGE = 105.0
"""Length of a line between two labels in pixels, more or less."""
HEIGHT = 24.0
"""Of a name, with the space around it."""
GAP = 26.0
"""Between parts of the graph that nothing connects."""
LARGE = 150
"""Labels of a part from which on it is laid out by springs: exact distances would take minutes."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Places in pixels, y downwards."""

    places: Floats
    """Middle of every name, (nodes, 2)."""
    width: float
    height: float


def lay_out(widths: Sequence[float], edges: Sequence[tuple[int, int]], *, page: float = 1080.0) -> Layout:
    """Place the nodes of a graph; the same graph gives the same picture.

    Args:
        widths: Of every node's name in pixels.
        edges: Pairs of nodes.
        page: Width that parts side by side should not exceed.

    Example:
        >>> layout = lay_out([40.0, 40.0, 40.0], [(0, 1)])
        >>> layout.places.shape, layout.width <= 1080
        ((3, 2), True)
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(len(widths)))
    graph.add_edges_from(edges)
    parts = sorted((sorted(part) for part in nx.connected_components(graph)), key=lambda part: (-len(part), part[0]))
    places, sizes = np.zeros((len(widths), 2)), np.column_stack([widths, np.full(len(widths), HEIGHT)])
    x = y = tallest = widest = 0.0
    for part in parts:
        own = _apart(_placed(graph.subgraph(part)), sizes[part])
        low, high = (own - sizes[part] / 2).min(axis=0), (own + sizes[part] / 2).max(axis=0)
        across, tall = high - low
        if x and x + across > page:
            x, y, tallest = 0.0, y + tallest + GAP, 0.0
        places[part] = own - low + (x, y)
        x, tallest = x + across + GAP, max(tallest, tall)
        widest = max(widest, x - GAP)
    return Layout(places, ceil(widest), ceil(y + tallest))


def _placed(part: nx.Graph) -> Floats:
    """Return places of the nodes of one connected part, in ascending order of nodes, (nodes, 2)."""
    nodes = sorted(part)
    if len(nodes) == 1:
        return np.zeros((1, 2))
    ordered = nx.Graph()
    ordered.add_nodes_from(nodes)
    ordered.add_edges_from(sorted(tuple(sorted(edge)) for edge in part.edges))
    if len(nodes) <= LARGE:
        found = nx.kamada_kawai_layout(ordered)
    else:
        found = nx.spring_layout(ordered, seed=0, iterations=300)
    places = np.array([found[node] for node in nodes])
    number = {node: place for place, node in enumerate(nodes)}
    lengths = [np.linalg.norm(places[number[one]] - places[number[two]]) for one, two in ordered.edges]
    # Wider than tall, as names are.
    return places * (EDGE / max(float(np.median(lengths)), 1e-9)) * (1.15, 0.75)


def _apart(places: Floats, sizes: Floats) -> Floats:
    """Push names that lie on each other apart, along the way that is shorter; a crowd is given more room."""
    wanted = (sizes[:, None] + sizes) / 2
    for step in count():
        places = places * (1.05 if step % 50 == 49 else 1.0)
        between = places[:, None] - places
        overlap: Floats = wanted - np.abs(between)
        is_on = np.asarray((overlap > 0.01).all(axis=2))
        np.fill_diagonal(is_on, False)
        if not is_on.any():
            return places
        # Where two lie on the very same place the order of nodes decides.
        order = np.sign(np.arange(len(places))[:, None] - np.arange(len(places)))
        way = np.where(between == 0, order[:, :, None], np.sign(between))
        along_y = overlap[:, :, 1] <= overlap[:, :, 0]
        push = np.stack([~along_y, along_y], axis=2) * way * overlap / 2
        places = places + (push * is_on[:, :, None]).sum(axis=1)
    raise AssertionError("a crowd that is given more and more room comes apart")
