"""A CSV as an Arrow table of text with the line of every row, so that what is found wrong later can say where it is.

Not pyarrow's reader: it is faster, but does not know the lines, and takes an unclosed quote for a very long cell.
"""

import codecs
import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tagger.data.sources.encoding import HEAD, encoding_of
from tagger.data.sources.source import SourceError
from tagger.data.taxonomy.names import plain

BATCH = 65_536
"""Rows that are Python objects at a time."""


DELIMITERS = (",", ";", "\t", "|")
"""What is looked for between the columns where nobody says."""

TAB = "\\t"
"""A tab as one types it."""


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

    delimiter: str | None = None
    """None: the one of ``DELIMITERS`` by which the first row has the columns that are wanted."""
    quote: str = '"'
    """What cells are wrapped in that hold a delimiter or a line break; empty if nothing is ever quoted."""
    encoding: str | None = None
    """None: what the first bytes say, else UTF-8."""

    def __post_init__(self) -> None:
        if self.delimiter == TAB:
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in "\r\n"):
            raise SourceError(f"delimiter must be one character, got {self.delimiter!r}; a tab is written '\\t'")
        if len(self.quote) > 1 or self.quote in (self.delimiter, "\r", "\n"):
            raise SourceError(f"quote must be one character that is not the delimiter, or empty, got {self.quote!r}")
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise SourceError(f"encoding {self.encoding!r} is not known; use utf-8, gbk, gb18030, big5, …") from None

    def encoding_of(self, path: Path) -> str:
        """Return the encoding of a file."""
        if self.encoding is not None:
            is_utf8 = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
            return "utf-8-sig" if is_utf8 else self.encoding
        with path.open("rb") as file:
            return encoding_of(file.read(HEAD))

    def reader(self, lines: Any, delimiter: str) -> Any:
        """Return a ``csv.reader`` that refuses what the module would otherwise guess about."""
        if not self.quote:
            return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
        return csv.reader(lines, delimiter=delimiter, quotechar=self.quote, strict=True)

    def header(self, line: str, delimiter: str) -> list[str]:
        """Return the cells of a first line that ends in no quoted cell."""
        try:
            return next(self.reader([line], delimiter), [])
        except csv.Error:
            return []


def read_csv(
    path: Path, columns: Mapping[str, str], optional: Mapping[str, str] | None = None, *, form: CsvFormat
) -> pa.Table:
    """Read some columns of a CSV as text.

    Args:
        path: A file whose first row names the columns, in capitals or not. Before it may stand ``sep=;``, for Excel.
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
        with path.open(encoding=form.encoding_of(path), newline="") as file:
            first = file.readline()
            separator = re.fullmatch(r'"?sep=(.)"?\s*', first)
            if separator is None:
                file.seek(0)
            else:
                first = file.readline()
                file.seek(0)
                file.readline()
            delimiter = form.delimiter or (separator and separator[1]) or _delimiter(first, [*columns.values()], form)
            rows = _rows(form.reader(file, delimiter), path, before=int(separator is not None))
            header = next(rows, (1, []))[1]
            wanted = _places(
                header, columns, optional or {}, path, hint=_hint(first, columns.values(), form, delimiter)
            )
            schema = pa.schema(dict.fromkeys(wanted, pa.string()) | {"line": pa.int64()})
            return pa.Table.from_batches(_batches(rows, header, list(wanted.values()), schema, path), schema)
    except UnicodeError as error:
        raise _undecodable(path, form, error) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _delimiter(line: str, wanted: Collection[str], form: CsvFormat) -> str:
    """Return the delimiter by which a first line has the wanted columns; else the one that it has most of."""
    known = {*map(plain, wanted)}
    possible = [one for one in DELIMITERS if one != form.quote]
    having = [one for one in possible if known <= {*map(plain, form.header(line, one))}]
    return max(having or possible, key=lambda one: len(form.header(line, one)))


def _hint(line: str, wanted: Collection[str], form: CsvFormat, delimiter: str) -> str:
    """Return what to do if columns are missing."""
    better = _delimiter(line, wanted, form)
    if better != delimiter and {*map(plain, wanted)} <= {*map(plain, form.header(line, better))}:
        typed = TAB if better == "\t" else better
        return f"; with delimiter='{typed}' between them it has them: set that, or leave delimiter out"
    return "; name those that it has in the settings, or set delimiter if something else stands between them"


def _rows(reader: Any, path: Path, *, before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row and the line on which it begins; a quoted cell may go on over several."""
    line = before + 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{path}, line {line}: {error}; is a quote not closed?") from error


def _places(
    header: list[str], columns: Mapping[str, str], optional: Mapping[str, str], path: Path, *, hint: str
) -> dict[str, int]:
    """Return where each wanted column is: as it is spelled, else in capitals or with spaces around it."""
    alike = [plain(name) for name in header]
    found = {}
    for ours, theirs in (*columns.items(), *optional.items()):
        names, name = (header, theirs) if theirs in header else (alike, plain(theirs))
        if name in names or ours in columns:
            if names.count(name) != 1:
                problem, way_out = ("two columns", "") if name in names else ("no column", hint)
                raise SourceError(f"{path}, line 1: {problem} {theirs!r}; the columns are {header}{way_out}")
            found[ours] = names.index(name)
    return found


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
    encoding, by_mark = form.encoding_of(path), encoding_of(content[:HEAD])
    try:
        content.decode(encoding)
    except UnicodeDecodeError as exact:
        ends = content.count(b"\n", 0, exact.start)
        line, place = f", line {ends + 1}", f" at byte {exact.start}"
    if form.encoding is not None and by_mark != "utf-8-sig":
        way_out = f"its first bytes are those of {by_mark}: leave encoding out, or set it so"
    elif encoding == "utf-8-sig":
        way_out = (
            "save it as UTF-8, or set encoding=gbk if Chinese Windows wrote it, encoding=cp1252 if that of "
            "Western Europe did"
        )
    else:
        way_out = f"set encoding to what it was saved as ({error})"
    return SourceError(f"{path}{line}: not {encoding.removesuffix('-sig').upper()}{place}; {way_out}")
