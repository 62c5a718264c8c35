"""What the nearest photos say: a label that eight of ten lookalikes carry is probably on this photo too."""

import numpy as np
from scipy.sparse import csr_array

from tagger.data.states import PRESENT

COUNT = 10
"""Nearest photos that are asked."""

_QUERIES, _BASE = 256, 1 << 16
"""Photos compared at a time: 256 with 65,536 take 64 MB, however many there are."""


def nearest(features: np.ndarray, rows: np.ndarray, *, count: int = COUNT) -> np.ndarray:
    """Return the photos whose features point most nearly the same way, int64 (queries, count), the nearest first.

    A photo is not its own neighbour. Where there are fewer photos than asked for, -1.

    Args:
        features: Of all photos, (photos, …); what lies behind the second axis is averaged.
        rows: Photos to find the neighbours of.
        count: Neighbours of each.

    Example:
        >>> nearest(np.array([[1, 0], [0, 1], [2, 0.1]]), np.array([0]), count=2).tolist()
        [[2, 1]]
    """
    best = np.full((len(rows), count), -np.inf, dtype=np.float32)
    who = np.full((len(rows), count), -1, dtype=np.int64)
    queries = _directions(features[rows])
    for base in range(0, len(features), _BASE):
        others = _directions(features[base : base + _BASE])
        for at in range(0, len(rows), _QUERIES):
            some = slice(at, at + _QUERIES)
            alike = queries[some] @ others.T
            own = rows[some] - base
            here = np.flatnonzero((own >= 0) & (own < len(others)))
            alike[here, own[here]] = -np.inf
            near = np.argpartition(-alike, min(count, len(others)) - 1, axis=1)[:, :count]
            candidates = np.concatenate([best[some], np.take_along_axis(alike, near, axis=1)], axis=1)
            names = np.concatenate([who[some], near + base], axis=1)
            order = np.argsort(-candidates, axis=1, kind="stable")[:, :count]
            best[some] = np.take_along_axis(candidates, order, axis=1)
            who[some] = np.take_along_axis(names, order, axis=1)
    who[np.isneginf(best)] = -1
    return who


def neighbours_share(states: csr_array, neighbours: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the share of each pair's neighbours that carry its label, float32 (pairs,), 0..1.

    Args:
        states: int8 (photos, labels).
        neighbours: Of each pair's photo, (pairs, count); -1 for none.
        columns: Each pair's label.
    """
    there = neighbours >= 0
    photos, labels = neighbours[there], np.broadcast_to(columns[:, None], neighbours.shape)[there]
    carries = np.zeros(neighbours.shape, dtype=bool)
    if len(photos):
        carries[there] = np.asarray(states[photos, labels]).ravel() == PRESENT
    return np.asarray(carries.sum(axis=1) / np.maximum(there.sum(axis=1), 1), dtype=np.float32)


def _directions(features: np.ndarray) -> np.ndarray:
    flat = features.reshape(*features.shape[:2], -1).mean(axis=2, dtype=np.float32)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))
