"""Search among millions with FAISS: an index that is made once per pool and kept.

An inverted file: the pool's directions are put into √photos cells around centroids that k-means found, in 8 bits a
feature, so that an index takes half of what the embeddings take. A query looks into the cells whose centroids are
nearest, and the best of what it finds are compared again with the embeddings themselves. What it misses is measured
when the index is made.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock

from tagger.atomic import write_text, written_whole
from tagger.data.embeddings import Features
from tagger.errors import UserError
from tagger.mining.search import BLOCK, Query, directions

PROBES = 0.03
"""Share of the cells that a query looks into; at least 8."""

AGAIN = 4
"""How many times as many photos as wanted are compared again."""

PER_CELL = 64
"""Photos that k-means sees for each cell; 39 are the least that FAISS is content with."""

ASKED = 32
"""Photos that are searched for to measure the recall."""


@dataclass(frozen=True, eq=False)
class Index:
    """An index of a pool."""

    faiss: Any
    centre: np.ndarray
    """From where directions are seen, as in `Query`."""
    recall: float
    """Share of the 50 best photos that it finds, measured with photos of the pool."""

    def best(self, wanted: Query, features: Features, count: int) -> tuple[np.ndarray, np.ndarray]:
        """As `tagger.mining.search.best`, without comparing all photos: some may be missed."""
        _, found = self.faiss.search(wanted.direction[None], AGAIN * count)
        rows = np.sort(found[0][found[0] >= 0])
        scores = wanted.scores(features[rows])
        order = np.argsort(-scores, kind="stable")[:count]
        return rows[order], scores[order]


def kept_index(features: Features, keys: pa.Array, centre: np.ndarray, *, kind: str, cache: Path) -> Index:
    """Return the index of a pool; it is made if there is none yet.

    Args:
        features: Of the pool, (photos, features).
        keys: What the photos are known by.
        centre: From where directions are seen.
        kind: What decides the embeddings, see `tagger.data.embeddings.kind`.
        cache: Folder for what can be computed again.

    Raises:
        UserError: If FAISS is not installed.
    """
    faiss = imported()
    digest = hashlib.sha256(kind.encode() + centre.tobytes())
    for key in keys.to_pylist():
        digest.update(key)
    file = cache / "indexes" / f"{digest.hexdigest()[:16]}.faiss"
    file.parent.mkdir(parents=True, exist_ok=True)
    facts = file.with_suffix(".json")
    with FileLock(file.with_suffix(".lock")):
        try:
            recall = float(json.loads(facts.read_text(encoding="utf-8"))["recall"])
            # Mapped: a query reads only the cells that it looks into.
            return Index(faiss.read_index(str(file), faiss.IO_FLAG_MMAP), centre, recall)
        # Missing or damaged: it can be made again.
        except (OSError, ValueError, KeyError, RuntimeError):
            made = make_index(features, centre)
            with written_whole(file) as opened:
                faiss.write_index(made.faiss, faiss.PyCallbackIOWriter(opened.write))
            write_text(facts, json.dumps({"photos": len(features), "cells": made.faiss.nlist, "recall": made.recall}))
    return made


def make_index(features: Features, centre: np.ndarray, *, seed: int = 0) -> Index:
    """Make an index and measure its recall.

    Args:
        features: Of the pool, (photos, features).
        centre: From where directions are seen.
        seed: Of k-means, of the photos that it sees, and of those that measure the recall.
    """
    faiss, dice = imported(), np.random.default_rng(seed)
    photos, width = features.shape
    cells = max(1, math.isqrt(photos))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.seed = seed
    index.cp.max_points_per_centroid = PER_CELL
    some = dice.choice(photos, min(photos, cells * PER_CELL), replace=False)
    index.train(directions(features[np.sort(some)], centre))
    for at in range(0, photos, BLOCK):
        index.add(directions(features[at : at + BLOCK], centre))
    index.nprobe = min(cells, max(8, round(PROBES * cells)))
    asked = features[np.sort(dice.choice(photos, min(photos, ASKED), replace=False))]
    return Index(index, centre, recall_of(Index(index, centre, 0.0), features, asked))


def recall_of(index: Index, features: Features, asked: np.ndarray, *, count: int = 50) -> float:
    """Return which share of the best photos an index finds, 0..1.

    Args:
        index: Of the pool.
        features: Of the pool, (photos, features).
        asked: Embeddings of photos that are searched for, (queries, features).
        count: How many are the best.
    """
    wanted = directions(asked, index.centre)
    right = _best_of_each(wanted, features, index.centre, min(count, len(features)))
    found = [index.best(Query(direction, index.centre), features, count)[0] for direction in wanted]
    hits = sum(len(np.intersect1d(*both)) for both in zip(right, found, strict=True))
    return hits / right.size


def _best_of_each(wanted: np.ndarray, features: Features, centre: np.ndarray, count: int) -> np.ndarray:
    """Return the photos that each direction has nearest, int64 (queries, count): all photos are read once."""
    rows = np.empty((len(wanted), 0), dtype=np.int64)
    scores = np.empty((len(wanted), 0), dtype=np.float32)
    for at in range(0, len(features), BLOCK):
        own = wanted @ directions(features[at : at + BLOCK], centre).T
        places = np.broadcast_to(np.arange(at, at + own.shape[1]), own.shape)
        rows, scores = np.concatenate([rows, places], axis=1), np.concatenate([scores, own], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        rows, scores = np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
    return rows


def imported() -> Any:
    """Return the library.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise UserError(
            "index=faiss needs FAISS: pip install tagger[mine]; or compare all photos: index=exact"
        ) from error
    return faiss
