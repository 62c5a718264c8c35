"""Pools: photos that nobody has labelled, each content once. Files are read for their hash, and none is decoded.

Hashes are kept by path, size and time of change, so that a pool is read once and after that only listed.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

from tagger.atomic import written_whole
from tagger.data.embedding_store import KEY
from tagger.data.finding import found
from tagger.data.skipped import Skipped
from tagger.data.storage import fetched, is_url

KEPT = pa.schema({"path": pa.binary(), "bytes": pa.int64(), "mtime_ns": pa.int64(), "key": KEY})
"""Names may be no UTF-8, so paths are bytes."""

CHUNK = 4096
"""Files that are listed before they are hashed."""

TWICE = "a photo that the pool has already"


@dataclass(frozen=True, eq=False)
class Pool:
    """Photos in the order in which they were found."""

    paths: pa.Array
    """Paths and URLs as bytes, (photos,)."""
    keys: pa.Array
    """What the embeddings know them by, see ``embedding_store.KEY``."""

    def __len__(self) -> int:
        return len(self.paths)

    def place(self, photo: int) -> str:
        """Return the path or URL of a photo."""
        return os.fsdecode(self.paths[photo].as_py())

    def id(self, photo: int) -> str:
        """Return the id that a catalog gives a photo: 32 hex digits of the sha256 of its file."""
        return self.keys[photo].as_py().hex()

    def take(self, photos: np.ndarray) -> "Pool":
        """Return these photos, in this order."""
        return Pool(self.paths.take(pa.array(photos)), self.keys.take(pa.array(photos)))


def read_pool(places: Sequence[str], *, cache: Path, skipped: Skipped, workers: int = 4) -> Pool:
    """Return the photos in some places.

    Args:
        places: As for `tagger.data.finding.found`.
        cache: Folder in which hashes are kept for the next time.
        skipped: Counts what is left out: files that cannot be read, and second copies.
        workers: Threads that read files.

    Raises:
        UserError: If there is nothing in a place.
    """
    cache.mkdir(parents=True, exist_ok=True)
    where = "\n".join(os.path.abspath(place) if not is_url(place) else place for place in places)  # noqa: PTH100
    file = cache / f"pool-{hashlib.sha256(os.fsencode(where)).hexdigest()[:12]}.parquet"
    tables = [KEPT.empty_table()]
    with FileLock(file.with_suffix(".lock")), ThreadPoolExecutor(workers) as threads:
        kept = _kept(file)
        fresh = False
        try:
            for files in _listed(places, skipped):
                skipped.of += len(files)
                table, is_fresh = _hashed(files, kept, threads, skipped)
                tables.append(table)
                fresh |= is_fresh
        finally:
            # Also after Ctrl-C: hours of reading are not lost.
            if fresh:
                _keep(file, pa.concat_tables(tables))
    everything = pa.concat_tables(tables).combine_chunks()
    keys = everything["key"].combine_chunks() if len(everything) else pa.array([], KEY)
    first = np.sort(np.unique(keys.dictionary_encode().indices.to_numpy(), return_index=True)[1])
    paths = pa.array([], pa.binary()) if not len(everything) else everything["path"].combine_chunks()
    if len(first) < len(paths):
        again = np.setdiff1d(np.arange(len(paths)), first)
        skipped.add(TWICE, os.fsdecode(paths[int(again[0])].as_py()), times=len(again))
    return Pool(paths, keys).take(first)


def _listed(places: Sequence[str], skipped: Skipped) -> Iterator[pa.Table]:
    """Yield paths with size and time of change, some at a time; -1 where they are not known."""
    photos = found(places, skipped)
    while some := list(islice(photos, CHUNK)):
        facts = [_facts(place) for place in some]
        yield pa.table(
            {
                "path": pa.array([os.fsencode(place) for place in some], pa.binary()),
                "bytes": pa.array([size for size, _ in facts], pa.int64()),
                "mtime_ns": pa.array([changed for _, changed in facts], pa.int64()),
            }
        )


def _facts(place: str) -> tuple[int, int]:
    if is_url(place):
        return -1, -1
    try:
        status = Path(place).stat()
    # Whoever reads it will say so.
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _hashed(files: pa.Table, kept: pa.Table, threads: ThreadPoolExecutor, skipped: Skipped) -> tuple[pa.Table, bool]:
    """Return rows of ``KEPT`` of the files that can be read, and whether any was read now."""
    place = pc.index_in(files["path"].combine_chunks(), kept["path"].combine_chunks())
    before = kept.take(place)
    same = pc.and_(pc.equal(before["bytes"], files["bytes"]), pc.equal(before["mtime_ns"], files["mtime_ns"]))
    known = pc.and_(pc.fill_null(same, False), pc.greater_equal(files["bytes"], 0)).to_numpy()
    names = [os.fsdecode(path) for path in files["path"].filter(pa.array(~known)).to_pylist()]
    read = iter(threads.map(_key, names))
    keys: list[bytes | None] = before["key"].to_pylist()
    for row in np.flatnonzero(~known).tolist():
        found_ = next(read)
        keys[row] = found_ if isinstance(found_, bytes) else None
        if isinstance(found_, str):
            skipped.add_photo(os.fsdecode(files["path"][row].as_py()), found_)
    table = files.append_column("key", pa.array(keys, KEY))
    return table.filter(pc.is_valid(table["key"])), bool((~known).any())


def _key(place: str) -> bytes | str:
    """Return the key of a file, or why it has none."""
    try:
        if not is_url(place) and Path(place).exists() and not Path(place).is_file():
            # Opening a pipe would wait for ever.
            return "not a file"
        with fetched(place) if is_url(place) else Path(place).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()[: KEY.byte_width]
    except OSError as error:
        return f"cannot be read ({error.strerror or type(error).__name__})"
    # Every store raises what its client library raises; a NUL in a name is a ValueError.
    except Exception as error:
        return f"cannot be read ({type(error).__name__})"


def _kept(file: Path) -> pa.Table:
    """Return what was kept, nothing if the file is missing or damaged: it can be computed again."""
    try:
        kept = pq.ParquetFile(file).read()
    except (OSError, ValueError):
        return KEPT.empty_table()
    return kept if kept.schema == KEPT else KEPT.empty_table()


def _keep(file: Path, hashes: pa.Table) -> None:
    with written_whole(file) as opened:
        pq.write_table(hashes, opened, compression="zstd")
