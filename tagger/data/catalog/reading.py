"""From the catalog's tables to arrays: annotations, by whom, in the columns of a label system."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.precedence import PRECEDENCE, Statements
from tagger.data.catalog.store import CatalogStore
from tagger.data.taxonomy import Taxonomy


def codes(column: pa.ChunkedArray) -> tuple[list[str | None], np.ndarray]:
    """Return the distinct words of a column and the place of every row's word, -1 for null; int32 (rows,).

    Example:
        >>> codes(pa.chunked_array([["b", "a", None, "b"]]))
        (['b', 'a'], array([ 0,  1, -1,  0], dtype=int32))
    """
    whole = column.combine_chunks()
    if not isinstance(whole, pa.DictionaryArray):
        whole = whole.dictionary_encode()
    return whole.dictionary.to_pylist(), pc.fill_null(whole.indices, -1).to_numpy().astype(np.int32, copy=False)


def of_source(table: pa.Table, name: str) -> pa.Table:
    """Return the rows whose column ``source`` is this one."""
    words, code = codes(table["source"])
    return table.filter(pa.array(code == words.index(name))) if name in words else table.slice(0, 0)


def visible(store: CatalogStore, columns: list[str] | None = None) -> pa.Table:
    """Return the annotations that count: those of batches that were not undone."""
    undone = [batch.number for batch in store.manifest.batches if batch.undone]
    if not undone:
        return store.table("annotations", columns)
    annotations = store.table("annotations")
    kept = annotations.filter(pc.invert(pc.is_in(annotations["batch"], pa.array(undone, pa.int32()))))
    return kept if columns is None else kept.select(columns)


def statements(annotations: pa.Table, taxonomy: Taxonomy) -> tuple[Statements, list[str]]:
    """Return annotations as arrays and the names of their speakers; those of labels that are no more are left out.

    Args:
        annotations: Columns photo, label, value, origin, source and annotator of the catalog.
        taxonomy: Gives the columns.
    """
    ids, label = codes(annotations["label"])
    column = _translated(label, [taxonomy.column.get(id_ or "", -1) for id_ in ids], np.int32)
    origins, origin = codes(annotations["origin"])
    precedence = _translated(origin, [PRECEDENCE[word or ""] for word in origins], np.int8)
    sources, source = codes(annotations["source"])
    annotators, annotator = codes(annotations["annotator"])
    # Annotators are speakers of their own, whatever file brought their verdicts.
    speaker = np.where(annotator >= 0, len(sources) + annotator, source) if annotators else source
    claims = Statements(
        annotations["photo"].to_numpy(),
        column,
        annotations["value"].to_numpy(),
        precedence,
        speaker,
    )
    names = [str(name) for name in [*sources, *annotators]]
    return (claims if (column >= 0).all() else claims.take(np.flatnonzero(column >= 0))), names


def _translated(code: np.ndarray, meaning: list[int], kind: type[np.integer]) -> np.ndarray:
    """Return the meaning of every code, -1 for -1."""
    return np.array([*meaning, -1], dtype=kind)[code]
