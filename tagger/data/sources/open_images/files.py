"""The published CSVs, block by block, wherever they are; what is wrong with one is named with its line."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, open_csv

from tagger.data.sources.open_images.columns import TEXT, Kinds
from tagger.data.sources.source import SourceError

BLOCK = 32 << 20
"""Bytes of a file that are read at a time."""


@dataclass(frozen=True)
class File:
    """A file, wherever it is."""

    system: Any
    path: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path if "file" in self.system.protocol else str(self.system.unstrip_protocol(self.path))

    def open(self) -> Any:
        try:
            return self.system.open(self.path, "rb")
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror or error}") from error

    def first_line(self) -> str:
        """Return the first line, without a byte-order mark."""
        with self.open() as opened:
            return str(opened.readline().decode("utf-8-sig", "replace"))

    def read(self) -> bytes:
        with self.open() as opened:
            return bytes(opened.read())

    def rows(self, *, quoted: bool, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of a CSV with the lines that they end on, one by one; ``errors`` are those of ``decode``.

        Raises:
            SourceError: If a line is not UTF-8, or a quote is not closed.
        """
        line = 0
        with self.open() as opened:
            lines = (text.decode("utf-8" if number else "utf-8-sig", errors) for number, text in enumerate(opened))
            reader = csv.reader(lines, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True)
            try:
                for row in reader:
                    line = reader.line_num
                    yield line, row
            except (csv.Error, UnicodeDecodeError) as error:
                fault = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                raise SourceError(f"{self.name}, line {line + 1}: {fault}; download the file again") from error


def names_in(system: Any, folder: str) -> list[str]:
    """Return the names of what is in a folder."""
    try:
        return [path.rsplit("/", 1)[-1] for path in system.ls(folder, detail=False)]
    except OSError as error:
        way_out = "set root and annotations to the folders of the photos and of the CSVs"
        raise SourceError(f"{folder} cannot be listed: {error.strerror or error}; {way_out}") from error


def blocks(file: File, columns: Kinds, optional: Kinds, *, many_lines: bool) -> Iterator[pa.Table]:
    """Yield some columns of a CSV block by block; unless a row may have many lines, its number is ``line``.

    Empty lines have no row.
    """
    # As published nothing is quoted there. A stray quote is then a character like others, and swallows nothing.
    quoted = many_lines or file.first_line().startswith('"')
    rows = file.rows(quoted=quoted, errors="replace")
    _, header = next(rows, (1, []))
    kinds = {**columns, **{name: kind for name, kind in optional.items() if name in header}}
    for name in kinds:
        if header.count(name) != 1:
            found = "two columns" if name in header else "no column"
            way_out = "; it is published as UTF-8 with commas: save it so" if len(header) == 1 else ""
            raise SourceError(f"{file.name}, line 1: {found} {name!r}; the columns are {header}{way_out}")
    if not any(any(row) for _, row in rows):
        raise SourceError(f"{file.name} has no row below its header; download it again")
    parse = ParseOptions(quote_char=quoted and '"', newlines_in_values=many_lines, ignore_empty_lines=False)
    convert = ConvertOptions(include_columns=list(kinds), column_types=dict(kinds))
    line = 2
    try:
        with file.open() as opened, open_csv(opened, ReadOptions(block_size=BLOCK), parse, convert) as reader:
            for batch in reader:
                block = pa.table(batch)
                if not many_lines:
                    block = block.append_column("line", pa.array(np.arange(line, line + len(block))))
                line += len(block)
                yield from _filled(block, kinds)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(file, len(header), str(error), quoted=quoted) from error


def _filled(rows: pa.Table, kinds: Kinds) -> Iterator[pa.Table]:
    """Yield the rows that are not those of empty lines, if there are any."""
    empty = pc.equal(rows["ImageID"], "")
    if pc.any(empty).as_py():
        for name in kinds:
            empty = pc.and_(empty, pc.equal(rows[name].cast(TEXT), ""))
        rows = rows.filter(pc.invert(empty))
    if len(rows):
        yield rows


def _unreadable(file: File, columns: int, error: str, *, quoted: bool) -> SourceError:
    """Say where the file is wrong, which Arrow does not know: it is read again, row by row."""
    errors = "strict" if "UTF8" in error else "replace"
    for line, row in file.rows(quoted=quoted, errors=errors):
        if row and len(row) != columns:
            shown = str(row)[:300]
            return SourceError(f"{file.name}, line {line}: expected {columns} columns, got {len(row)}: {shown}")
    return SourceError(f"{file.name} cannot be read: {error}; download it again")
