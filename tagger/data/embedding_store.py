"""Embeddings on disk: a row for every photo, known by its content, in files that only grow.

    shape.json      what a row is: [1280]
    features.f16    the rows, float16, one after the other
    photos.key      of every row the first 16 bytes of the sha256 of the photo's file

Rows are written and flushed before their keys, so a process killed at any moment leaves rows without a key: they do not
count, and the next writer writes over them. What is there never moves, so a file may grow while others have it mapped.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.atomic import write_text
from tagger.errors import named

KEY = pa.binary(16)
"""Of a photo. Catalogs know photos by 32 hex digits of the sha256, listings by all 64: the first 32 are the same."""

NOWHERE = -1
"""Row of a photo that has none."""


@dataclass(frozen=True)
class Kept:
    """What a store has."""

    keys: pa.Array
    """(rows,)."""
    features: np.ndarray
    """float16 (rows, …), mapped from disk."""

    def rows(self, keys: pa.Array) -> np.ndarray:
        """Return the row of each key, int64 (keys,), ``NOWHERE`` if there is none."""
        return pc.fill_null(pc.index_in(keys, self.keys), NOWHERE).to_numpy(zero_copy_only=False).astype(np.int64)


@dataclass(frozen=True)
class EmbeddingStore:
    """The embeddings of one backbone. Only one process may append at a time; reading needs no lock."""

    folder: Path

    def read(self) -> Kept:
        """Map what is there."""
        try:
            # Keys first: rows that come meanwhile then have no key yet.
            keys = (self.folder / "photos.key").read_bytes()
            shape = tuple(json.loads((self.folder / "shape.json").read_text(encoding="utf-8")))
            file = self.folder / "features.f16"
            count = min(len(keys) // KEY.byte_width, file.stat().st_size // (2 * math.prod(shape)))
        # Missing or damaged: it can be computed again.
        except (OSError, ValueError, TypeError, ZeroDivisionError):
            count, shape = 0, (0,)
        if not count:
            return Kept(pa.array([], KEY), np.empty((0, *shape), dtype=np.float16))
        features = np.memmap(file, dtype="<f2", mode="r", shape=(count, *shape))
        return Kept(pa.Array.from_buffers(KEY, count, [None, pa.py_buffer(keys)]), features)

    def append(self, keys: pa.Array, features: np.ndarray) -> None:
        """Add rows.

        Args:
            keys: Of photos that have no row yet, each once, (rows,).
            features: (rows, …), of the same shape as those that are there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        count = len(self.read().keys)
        if not count:
            write_text(self.folder / "shape.json", json.dumps(features.shape[1:]))
        rows = features.astype("<f2", order="C")
        # First: a key whose row was lost must not come to mean another row.
        _write_at(self.folder / "photos.key", count * KEY.byte_width, b"")
        _write_at(self.folder / "features.f16", count * math.prod(rows.shape[1:]) * 2, rows.tobytes())
        _write_at(self.folder / "photos.key", count * KEY.byte_width, b"".join(keys.to_pylist()))


def photo_keys(ids: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the keys of photos, given the hex digits of the sha256 of their files, all 64 or the first 32, or keys.

    Example:
        >>> photo_keys(["9f86d081884c7d659a2feaa0c55ad015"])[0].as_py().hex()
        '9f86d081884c7d659a2feaa0c55ad015'
    """
    if isinstance(ids, pa.Array) and ids.type == KEY:
        return ids
    names = ids.to_pylist() if isinstance(ids, pa.Array | pa.ChunkedArray) else ids
    digits = bytes.fromhex("".join(name[:32] for name in names))
    return pa.Array.from_buffers(KEY, len(names), [None, pa.py_buffer(digits)])


def _write_at(path: Path, place: int, content: bytes) -> None:
    """Write at a place that ends the file then, and flush to the disk; what stood there counted no more."""
    with named(path), os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        file.seek(place)
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
