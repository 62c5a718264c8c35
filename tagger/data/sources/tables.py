"""The two tables of a chunk, built from columns; what is the same in every row is given once."""

from typing import Any

import pyarrow as pa

from tagger.data.sources.source import ANNOTATIONS, PHOTOS
from tagger.data.states import PRESENT


def photo_table(key: Any, path: Any, *, split: Any = None, group: Any = None) -> pa.Table:
    """Return a table of schema ``PHOTOS``; all but ``key`` are columns or one value for all.

    Example:
        >>> photos = photo_table(pa.array(["7", "8"]), pa.array(["7.jpg", "8.jpg"]), split="train")
        >>> photos["path"].to_pylist(), photos["split"].to_pylist()
        (['7.jpg', '8.jpg'], ['train', 'train'])
    """
    return _table(PHOTOS, key=key, path=path, split=split, group=group)


def annotation_table(
    key: Any, name: Any, *, value: Any = PRESENT, origin: Any = "source", score: Any = None, line: Any = None
) -> pa.Table:
    """Return a table of schema ``ANNOTATIONS``; all but ``key`` are columns or one value for all.

    Example:
        >>> annotation_table(pa.array(["7"]), "cat", line=2).to_pylist()
        [{'key': '7', 'name': 'cat', 'value': 1, 'origin': 'source', 'score': None, 'line': 2}]
    """
    return _table(ANNOTATIONS, key=key, name=name, value=value, origin=origin, score=score, line=line)


def _table(schema: pa.Schema, **columns: Any) -> pa.Table:
    """Return a table of this schema; columns that are not given are null."""
    rows = len(columns["key"])
    return pa.table([_column(columns.get(field.name), field.type, rows) for field in schema], schema=schema)


def _column(column: Any, kind: pa.DataType, rows: int) -> pa.Array | pa.ChunkedArray:
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return column.cast(kind)
    return pa.repeat(pa.scalar(column, kind), rows)
