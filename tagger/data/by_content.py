"""Numbers about photos that are computed once: kept by the hash of a photo's content, in Arrow files.

A folder for whatever computes them (a detector, a teacher) holds parts: ``photo_id``, the hash, and a column of
fixed-size lists. A part is written beside and renamed, so it is there whole or not at all; a process that is cut goes
on where its last part ended, and a photo that is in a second data set is not looked at again.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock
from numpy.typing import NDArray

from tagger.atomic import written_whole

PART_SECONDS = 20.0
"""How often what was computed is written: the most that a kill costs."""

MOST_PARTS = 8
"""Parts that are left as they are; more are merged into one when all is there."""

Compute = Callable[[NDArray[np.int64]], Iterator[NDArray]]
"""Places among the photos that were asked for → their numbers, (some, width) at a time, in that order."""


@dataclass(frozen=True)
class Column:
    """What is kept of every photo."""

    name: str
    type: pa.DataType
    width: int

    @property
    def schema(self) -> pa.Schema:
        """Of the files."""
        return pa.schema({"photo_id": pa.string(), self.name: pa.list_(self.type, self.width)})


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of the photos that were asked for."""

    numbers: NDArray
    """Of all photos that the folder knows, (known, width); mapped from disk where they lie in one part."""
    places: NDArray[np.int64]
    """Row in ``numbers`` of each photo that was asked for."""

    def of(self, positions: NDArray[np.int64]) -> NDArray:
        """Return the numbers of some of the photos that were asked for, (positions, width)."""
        return np.asarray(self.numbers[self.places[positions]])


def by_content(ids: pa.Array, compute: Compute, *, home: Path, column: Column) -> Kept:
    """Return the numbers of photos; what is not kept yet is computed, part by part, and kept.

    Args:
        ids: Hashes of the photos' contents; the same content may be there twice, and is computed once.
        compute: What computes them. What it yielded before it raised is kept.
        home: Folder for whatever computes them.
        column: What is kept.
    """
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        table = _kept(home, column)
        places = _places(ids, table)
        missing = np.flatnonzero(places < 0)
        if len(missing):
            first = missing[np.unique(ids.take(pa.array(missing)).to_numpy(zero_copy_only=False), return_index=True)[1]]
            _keep(ids.take(pa.array(first)).to_pylist(), compute(first), home, column)
            table = _kept(home, column)
            places = _places(ids, table)
        _merge(home, table)
    numbers = table[column.name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return Kept(numbers.reshape(-1, column.width), places)


def _keep(ids: list[str], computed: Iterator[NDArray], home: Path, column: Column) -> None:
    """Keep what is computed, part by part; also when it is interrupted."""
    done: list[NDArray] = []
    begun, end, since = 0, 0, time.monotonic()
    try:
        for some in computed:
            done.append(some)
            end += len(some)
            if time.monotonic() - since > PART_SECONDS:
                _write(home, ids[begun:end], done, column)
                done, begun, since = [], end, time.monotonic()
    finally:
        if done:
            _write(home, ids[begun:end], done, column)


def _write(home: Path, ids: list[str], numbers: list[NDArray], column: Column) -> None:
    flat = pa.array(np.concatenate(numbers).ravel(), column.type)
    lists = pa.FixedSizeListArray.from_arrays(flat, column.width)
    _write_table(home, pa.table({"photo_id": pa.array(ids, pa.string()), column.name: lists}))


def _write_table(home: Path, table: pa.Table) -> Path:
    name = hashlib.sha256("".join(table["photo_id"].to_pylist()).encode()).hexdigest()[:16]
    path = home / f"{name}.arrow"
    with written_whole(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def _kept(home: Path, column: Column) -> pa.Table:
    """Return what is there, mapped from disk; a part that was cut since counts as not there."""
    parts = [column.schema.empty_table()]
    for path in sorted(home.glob("*.arrow")):
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (pa.ArrowInvalid, OSError):
            continue
        if table.schema.equals(column.schema):
            parts.append(table)
    return pa.concat_tables(parts)


def _places(ids: pa.Array, kept: pa.Table) -> NDArray[np.int64]:
    """Return where each photo is among those that are kept; −1 if nowhere."""
    found = pc.index_in(ids, value_set=kept["photo_id"].combine_chunks())
    return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _merge(home: Path, kept: pa.Table) -> None:
    """Make one part of many; a kill in between leaves photos in two parts, which is harmless."""
    parts = sorted(home.glob("*.arrow"))
    if len(parts) > MOST_PARTS:
        whole = _write_table(home, kept.combine_chunks())
        for path in parts:
            if path != whole:
                path.unlink()
