"""Columns of the published CSVs: what their words mean, and where strings are among others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.sources.source import Skipped, SourceError

if TYPE_CHECKING:
    from tagger.data.sources.open_images.files import File

Kinds = dict[str, pa.DataType]
"""Columns to read, by their name in the file."""

TEXT, WORD = pa.string(), pa.dictionary(pa.int32(), pa.string())


def meanings_of(
    rows: pa.Table, column: str, meanings: Mapping[str, Any], kind: pa.DataType, file: "File"
) -> pa.ChunkedArray:
    """Return what the cells mean; refuse those that mean nothing."""
    codes, words = coded(rows[column])
    known = np.array([word in meanings for word in words.to_pylist()], dtype=bool)[codes]
    if not known.all():
        raise refused(rows, int(np.argmin(known)), column, " or ".join(map(repr, meanings)), file)
    # Words of rows that are gone, such as empty lines, may mean nothing.
    return pa.array([meanings.get(word) for word in words.to_pylist()], kind).take(pa.array(codes))


def refused(rows: pa.Table, row: int, column: str, wanted: str, file: "File") -> SourceError:
    cells = {name: cell[0] for name, cell in rows.slice(row, 1).to_pydict().items()}
    line = f", line {cells['line']}" if "line" in cells else ""
    place = f"{file.name}{line}, column {column}"
    return SourceError(f"{place}: expected {wanted}, got {cells[column]!r} for photo {cells['ImageID']!r}")


def coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the codes of a dictionary column, and the words that they stand for."""
    coded = column.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # it had no chunks
        coded = pa.array([], WORD)
    return as_numpy(coded.indices), coded.dictionary


def places(wanted: pa.Array | pa.ChunkedArray, among: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return where each string is first among others, null if it is not."""
    return pc.index_in(wanted, among.combine_chunks() if isinstance(among, pa.ChunkedArray) else among)


def as_numpy(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(
        column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
    )


def count(skipped: Skipped, reason: str, file: "File", examples: pa.Array | pa.ChunkedArray) -> None:
    """Count all, and show the first of them."""
    first = examples.slice(0, 5).to_pylist()
    for number, example in enumerate(first):
        skipped.add(reason, f"{file.name}: {example}", times=1 if number else len(examples) - len(first) + 1)
