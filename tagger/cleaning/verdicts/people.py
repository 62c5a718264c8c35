"""Annotations by people, out of a catalog: who, of which photo and label, in which batch."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.data.catalog.store import CatalogStore
from tagger.data.taxonomy import Taxonomy


def said_by_people(store: CatalogStore, *, undone: bool = False) -> pa.Table:
    """Return the annotations of origin human, the oldest first: photo (row), label, value, annotator, batch.

    Args:
        store: The catalog.
        undone: Whether those of batches that were undone are among them.
    """
    annotations = store.table("annotations", ["photo", "label", "value", "origin", "annotator", "batch"])
    annotations = annotations.filter(pc.equal(annotations["origin"].cast(pa.string()), "human")).drop_columns(
        ["origin"]
    )
    if not undone:
        hidden = [batch.number for batch in store.manifest.batches if batch.undone]
        annotations = annotations.filter(pc.invert(pc.is_in(annotations["batch"], pa.array(hidden, pa.int32()))))
    plain = {"label": pa.string(), "annotator": pa.string()}
    return annotations.cast(
        pa.schema([pa.field(field.name, plain.get(field.name, field.type)) for field in annotations.schema])
    )


def last_words(annotations: pa.Table) -> dict[tuple[int, str, str], tuple[int, int]]:
    """Return the last value that every person gave a label of a photo, and its batch, by photo, label and annotator."""
    columns = (annotations[name].to_pylist() for name in ("photo", "label", "annotator", "value", "batch"))
    return {(photo, label, who): (value, batch) for photo, label, who, value, batch in zip(*columns, strict=True)}


def decided(annotations: pa.Table, rows: np.ndarray, taxonomy: Taxonomy) -> csr_array:
    """Return which pairs people have decided, stored ones in int8 (photos, labels).

    A pair is open as long as as many say present as absent. One of which all who were asked cannot say is decided: to
    ask again would not help.

    Args:
        annotations: What :func:`said_by_people` returns.
        rows: Row in the catalog's tables of every photo.
        taxonomy: The labels; annotations of others are left out.
    """
    votes: dict[tuple[int, int], list[int]] = {}
    for (photo, label, _), (value, _) in last_words(annotations).items():
        if label in taxonomy.column:
            votes.setdefault((photo, taxonomy.column[label]), []).append(value)
    closed = [pair for pair, values in votes.items() if sum(values) or not any(values)]
    photos, columns = np.array(closed, dtype=np.int64).reshape(-1, 2).T
    place = np.searchsorted(rows, photos)
    there = np.isin(photos, rows)
    ones = np.ones(int(there.sum()), dtype=np.int8)
    return csr_array((ones, (place[there], columns[there])), shape=(len(rows), len(taxonomy)))
