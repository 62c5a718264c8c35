"""The queue: the pairs of photo and label that are probably annotated wrongly, with what is known about each."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from tagger.cleaning.queue.choosing import Pairs
from tagger.cleaning.queue.claims import claims_about
from tagger.cleaning.queue.evidence import implied_by, is_top, twins
from tagger.cleaning.queue.nearest import nearest, neighbours_share
from tagger.cleaning.queue.table import QUEUE_SCHEMA, task_id
from tagger.data.catalog import Catalog


@dataclass(frozen=True, eq=False)
class Known:
    """Where evidence is looked up."""

    catalog: Catalog
    scores: np.ndarray
    """Out of fold, (photos, labels), 0..1, of the photos of ``catalog``; NaN where one has none."""
    rows: np.ndarray
    """Row of each of its photos in the catalog's tables."""
    annotations: pa.Table
    """Annotations that are not undone, as in the catalog's tables."""
    photos: pa.Table
    """Columns ``group`` and ``look`` of its photos."""
    features: np.ndarray | None = None
    """Of its photos, (photos, …); None: nobody asks the neighbours."""


def make_queue(chosen: Mapping[str, Pairs], known: Known, *, overlap: float = 0.0) -> pa.Table:
    """Return the queue, rows of ``QUEUE_SCHEMA``: the first of every kind, then the second ones.

    Args:
        chosen: Pairs by kind, best first.
        known: What evidence is taken from.
        overlap: Share of the tasks that two people answer, 0..1; the same ones in every queue.
    """
    parts = [_tasks(kind, pairs, known, overlap) for kind, pairs in chosen.items() if len(pairs)]
    if not parts:
        return QUEUE_SCHEMA.empty_table()
    queue = pa.concat_tables(parts)
    return queue.take(pa.array(np.argsort(queue["rank"].to_numpy(), kind="stable")))


def drawn_tasks(
    kind: str, catalog: Catalog, rows: np.ndarray, columns: np.ndarray, *, overlap: float = 0.0
) -> pa.Table:
    """Return tasks that were drawn at random, rows of ``QUEUE_SCHEMA``: with nothing that speaks for or against them.

    Args:
        kind: ``sample`` or ``again``.
        catalog: What the rows are of.
        rows: Of the pairs' photos.
        columns: Of the pairs' labels.
        overlap: Share of the tasks that two people answer, 0..1.
    """
    asked = _questions(kind, catalog, rows, columns)
    kinds = {field.name: field.type for field in QUEUE_SCHEMA}
    silent = {name: pa.nulls(len(rows), kinds[name]) for name in ("score", "margin", "cleanlab", "neighbours")}
    silent["is_top5"] = pa.array(np.zeros(len(rows), dtype=bool))
    silent["overlap"] = pa.array(_people(asked["task_id"], overlap), pa.int8())
    silent |= {name: pa.array([""] * len(rows)) for name in ("said_by", "products", "implied_by", "twin")}
    return pa.table(asked | silent).select(QUEUE_SCHEMA.names).cast(QUEUE_SCHEMA)


def _tasks(kind: str, pairs: Pairs, known: Known, overlap: float) -> pa.Table:
    catalog, rows, columns = known.catalog, pairs.row, pairs.column
    asked = _questions(kind, catalog, rows, columns)
    claims = claims_about(known.annotations, catalog.taxonomy, known.rows[rows], columns)
    evidence = {
        "said_by": [one.facts for one in claims],
        **{
            name: pa.array(getattr(pairs, name).astype(np.float32), from_pandas=True)
            for name in ("score", "margin", "cleanlab")
        },
        "is_top5": is_top(known.scores, rows, columns),
        "products": [one.opinions for one in claims],
        "implied_by": implied_by(catalog.taxonomy, catalog.states, rows, columns),
        "neighbours": _neighbours(known, rows, columns),
        "twin": twins(known.photos, catalog.states, rows, columns, place=_named(catalog)),
        "overlap": _people(asked["task_id"], overlap),
    }
    return pa.table(asked | evidence).select(QUEUE_SCHEMA.names).cast(QUEUE_SCHEMA)


def _questions(kind: str, catalog: Catalog, rows: np.ndarray, columns: np.ndarray) -> dict[str, Any]:
    """Return the columns that say what is asked, of which state, in this order."""
    photos = catalog.photos.take(pa.array(rows))
    ids = photos["photo_id"].to_pylist()
    labels = [catalog.taxonomy.ids[column] for column in columns.tolist()]
    roots = photos["root"].to_pylist() if "root" in photos.column_names else [0] * len(ids)
    return {
        "task_id": [task_id(photo, label, kind) for photo, label in zip(ids, labels, strict=True)],
        "photo_id": ids,
        "root": [catalog.roots[root] for root in roots],
        "path": photos["path"].to_pylist(),
        "label": labels,
        "kind": [kind] * len(ids),
        "state": states_of(catalog.states, rows, columns),
        "rank": np.arange(1, len(ids) + 1, dtype=np.int32),
    }


def states_of(states: csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the state of each pair, int8 (pairs,)."""
    # Of no pairs scipy makes a matrix.
    return np.asarray(states[rows, columns], dtype=np.int8).ravel() if len(rows) else np.zeros(0, dtype=np.int8)


def is_doubled(task: str, share: float) -> bool:
    """Return whether a task goes to two people: drawn by its name, so that a queue made anew asks the same ones.

    Example:
        >>> is_doubled("342a42e30fa149df", 1.0), is_doubled("342a42e30fa149df", 0.0)
        (True, False)
    """
    return int.from_bytes(hashlib.sha256(task.encode()).digest()[:4]) < share * 2**32


def _people(tasks: Iterable[str], overlap: float) -> list[int]:
    """Return how many people are wanted for each task."""
    return [2 if is_doubled(task, overlap) else 1 for task in tasks]


def _neighbours(known: Known, rows: np.ndarray, columns: np.ndarray) -> pa.Array:
    if known.features is None:
        return pa.nulls(len(rows), pa.float32())
    photos, place = np.unique(rows, return_inverse=True)
    return pa.array(neighbours_share(known.catalog.states, nearest(known.features, photos)[place], columns))


def _named(catalog: Catalog) -> Callable[[int], str]:
    paths = catalog.photos["path"]
    return lambda row: str(paths[row].as_py())
