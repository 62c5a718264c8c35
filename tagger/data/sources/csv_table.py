"""A CSV as an Arrow table of text with the line of every row, so that what is found wrong later can say where it is.

Not pyarrow's reader: it is faster, but does not know the lines, and takes an unclosed quote for a very long cell.
"""

import codecs
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tagger.data.sources.source import SourceError

BATCH = 65_536
"""Rows that are Python objects at a time."""


@dataclass(frozen=True, kw_only=True)
class CsvFormat:
    """How a CSV is written; line ends of Windows and a byte-order mark are always fine.

    Raises:
        SourceError: If a setting is impossible.

    Example:
        >>> CsvFormat(encoding="gkb")
        Traceback (most recent call last):
        ...
        tagger.data.sources.source.SourceError: encoding 'gkb' is not known; use utf-8, gbk, gb18030, big5, …
    """

    delimiter: str = ","
    quote: str = '"'
    """What cells are wrapped in that hold a delimiter or a line break; empty if nothing is ever quoted."""
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or self.delimiter in "\r\n":
            raise SourceError(f"delimiter must be one character, got {self.delimiter!r}; a tab is written '\\t'")
        if len(self.quote) > 1 or self.quote in (self.delimiter, "\r", "\n"):
            raise SourceError(f"quote must be one character that is not the delimiter, or empty, got {self.quote!r}")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise SourceError(f"encoding {self.encoding!r} is not known; use utf-8, gbk, gb18030, big5, …") from None

    @property
    def is_utf8(self) -> bool:
        """Whether the encoding is UTF-8 under any of its names."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")

    def reader(self, file: Any) -> Any:
        """Return a ``csv.reader`` that refuses what the module would otherwise guess about."""
        if not self.quote:
            return csv.reader(file, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=True)
        return csv.reader(file, delimiter=self.delimiter, quotechar=self.quote, strict=True)


def read_csv(
    path: Path, columns: Mapping[str, str], optional: Mapping[str, str] | None = None, *, form: CsvFormat
) -> pa.Table:
    """Read some columns of a CSV as text.

    Args:
        path: A file whose first row names the columns.
        columns: The name that each column gets in the table, and its name in the file.
        optional: The same for columns that the file may lack; the table then lacks them too.
        form: How the file is written.

    Returns:
        Strings, as they stand in the cells, and ``line``: where each row begins, an integer. Empty lines have no row.

    Raises:
        SourceError: If the file is missing, is in another encoding, lacks a column, or a row is malformed; the message
            names the line.
    """
    try:
        with path.open(encoding="utf-8-sig" if form.is_utf8 else form.encoding, newline="") as file:
            reader = form.reader(file)
            rows = _rows(reader, path)
            header = next(rows, (1, []))[1]
            wanted = _places(header, columns, optional or {}, path)
            schema = pa.schema(dict.fromkeys(wanted, pa.string()) | {"line": pa.int64()})
            return pa.Table.from_batches(_batches(rows, header, list(wanted.values()), schema, path), schema)
    except UnicodeError as error:
        raise _undecodable(path, form, error) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _rows(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row and the line on which it begins; a quoted cell may go on over several."""
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{path}, line {line}: {error}; is a quote not closed?") from error


def _places(header: list[str], columns: Mapping[str, str], optional: Mapping[str, str], path: Path) -> dict[str, int]:
    """Return where each wanted column is."""
    present = {ours: theirs for ours, theirs in optional.items() if theirs in header}
    for name in (*columns.values(), *present.values()):
        if header.count(name) != 1:
            found = "two columns" if name in header else "no column"
            raise SourceError(f"{path}, line 1: {found} {name!r}; the columns are {header}")
    return {ours: header.index(theirs) for ours, theirs in (*columns.items(), *present.items())}


def _batches(
    rows: Iterator[tuple[int, list[str]]], header: list[str], places: list[int], schema: pa.Schema, path: Path
) -> Iterator[pa.RecordBatch]:
    while batch := list(islice(rows, BATCH)):
        for line, row in batch:
            if len(row) != len(header):
                raise SourceError(f"{path}, line {line}: expected {len(header)} columns {header}, got {row}")
        cells = [[row[place] for _, row in batch] for place in places]
        yield pa.record_batch([*cells, [line for line, _ in batch]], schema=schema)


def _undecodable(path: Path, form: CsvFormat, error: UnicodeError) -> SourceError:
    """Say where the first bad byte is: the error itself counts from the start of a buffer."""
    content, line, place = path.read_bytes(), "", ""
    try:
        content.decode(form.encoding)
    except UnicodeDecodeError as exact:
        ends = content.count(b"\n", 0, exact.start)
        line, place = f", line {ends + 1}", f" at byte {exact.start}"
    if form.is_utf8:
        way_out = "save it as UTF-8, or set encoding=gbk if Chinese Windows wrote it"
    else:
        way_out = f"set encoding to what it was saved as ({error})"
    return SourceError(f"{path}{line}: not {form.encoding.upper()}{place}; {way_out}")
