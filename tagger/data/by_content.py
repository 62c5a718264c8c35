"""Numbers about photos that are computed once: kept by the hash of a photo's content, in Arrow files.

A folder for whatever computes them (a detector, a teacher) holds parts: ``photo_id``, the hash, and a column of
fixed-size lists. A part is written beside and renamed, so it is there whole or not at all; a process that is cut goes
on where its last part ended, and a photo that is in a second data set is not looked at again.

Numbers are kept under the hash of the bytes that they were computed from, whatever the photo was thought to be: a file
that was edited meanwhile must not speak for what it was.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock
from numpy.typing import NDArray

from tagger.atomic import written_whole
from tagger.data.changed import Changed

PART_SECONDS = 20.0
"""How often what was computed is written: the most that a kill costs."""

MOST_PARTS = 8
"""Parts that are left as they are; more are merged into one when all is there."""

Computed = Iterator[tuple[Sequence[str], NDArray]]
"""Some photos at a time, in order: the sha256 of the bytes that each was computed from, ``""`` where there is nothing
to keep, and their numbers, (some, width)."""

Compute = Callable[[NDArray[np.int64]], Computed]
"""Places among the photos that were asked for → what is computed of them."""

NOWHERE = -1
"""Row of a photo that has none."""


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
    """Row in ``numbers`` of each photo that was asked for; ``NOWHERE`` if it could not be read."""

    def of(self, positions: NDArray[np.int64]) -> NDArray:
        """Return the numbers of some of the photos that were asked for, (positions, width); NaN where there are none.

        Of a file that has changed since its hash was noted they are those of what it is now.
        """
        places = self.places[positions]
        found = np.full((len(places), self.numbers.shape[1]), np.nan, self.numbers.dtype)
        found[places != NOWHERE] = self.numbers[places[places != NOWHERE]]
        return found


def by_content(ids: pa.Array, compute: Compute, *, place: Callable[[int], str], home: Path, column: Column) -> Kept:
    """Return the numbers of photos; what is not kept yet is computed, part by part, and kept.

    Args:
        ids: Hashes of the photos' contents, 64 hex digits or the first 32; the same content may be there twice, and is
            computed once.
        compute: What computes them. What it yielded before it raised is kept.
        place: Path or URL of a photo, by its place among ``ids``.
        home: Folder for whatever computes them.
        column: What is kept.
    """
    home.mkdir(parents=True, exist_ok=True)
    names, changed = np.array(ids.to_pylist(), dtype=object), Changed()
    with FileLock(home / "lock"):
        table = _kept(home, column)
        missing = np.flatnonzero(_places(names, table) == NOWHERE)
        while len(missing):
            some = missing[np.unique(names[missing], return_index=True)[1]]
            digits = len(names[some[0]])
            read = _keep(compute(some), home, column, digits=digits)
            names[some] = changed.found(names[some], read, places=[place(photo) for photo in some.tolist()])
            table = _kept(home, column)
            # Of two files that had one hash the first may have changed, and the second not.
            missing = np.setdiff1d(missing[_places(names[missing], table) == NOWHERE], some)
        places = _places(names, table)
        _merge(home, table)
    changed.tell()
    numbers = table[column.name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return Kept(numbers.reshape(-1, column.width), places)


def _keep(computed: Computed, home: Path, column: Column, *, digits: int) -> list[str]:
    """Keep what is computed, part by part, also when it is interrupted; return the hash of each photo's bytes."""
    hashes: list[str] = []
    done: list[NDArray] = []
    begun, since = 0, time.monotonic()
    try:
        for some, numbers in computed:
            hashes += [hash_[:digits] for hash_ in some]
            done.append(numbers)
            if time.monotonic() - since > PART_SECONDS:
                _write(home, hashes[begun:], done, column)
                done, begun, since = [], len(hashes), time.monotonic()
    finally:
        if done:
            _write(home, hashes[begun:], done, column)
    return hashes


def _write(home: Path, hashes: list[str], numbers: list[NDArray], column: Column) -> None:
    read = np.array([hash_ != "" for hash_ in hashes])
    flat = pa.array(np.concatenate(numbers)[read].ravel(), column.type)
    lists = pa.FixedSizeListArray.from_arrays(flat, column.width)
    _write_table(home, pa.table({"photo_id": pa.array(filter(None, hashes), pa.string()), column.name: lists}))


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


def _places(names: NDArray, kept: pa.Table) -> NDArray[np.int64]:
    """Return where each photo is among those that are kept; ``NOWHERE`` if nowhere."""
    found = pc.index_in(pa.array(names, pa.string()), value_set=kept["photo_id"].combine_chunks())
    return np.asarray(found.fill_null(NOWHERE).to_numpy(zero_copy_only=False), dtype=np.int64)


def _merge(home: Path, kept: pa.Table) -> None:
    """Make one part of many; a kill in between leaves photos in two parts, which is harmless."""
    parts = sorted(home.glob("*.arrow"))
    if len(parts) > MOST_PARTS:
        whole = _write_table(home, kept.combine_chunks())
        for path in parts:
            if path != whole:
                path.unlink()
