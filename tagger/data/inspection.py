"""Every photo is looked at once before training: what is bad is found now, not in the third epoch.

A photo is decoded to its last byte, a large JPEG at 1/8 of its size: that is several times as fast and fails on the
same bytes. What was found is kept in one Parquet file, and holds as long as a photo's size in bytes and its time of
change. Bad photos are not kept: they are few, and what was missing (a file, a permission, the HEIC extra) may be there
now.
"""

import hashlib
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache as memo
from functools import partial
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock
from rich.progress import Progress

from tagger.atomic import written_whole
from tagger.data.duplicates import AT_LEAST, BYTES, fingerprint
from tagger.data.photo import MAX_PIXELS, BadPhoto, decode, decoder, open_photo, upright_size
from tagger.data.storage import fetched, is_url, leaving, listed, location

FILE = {"path": pa.string(), "bytes": pa.int64(), "mtime_ns": pa.int64()}
FOUND = {"sha256": pa.string(), "width": pa.int32(), "height": pa.int32(), "look": pa.binary(), "error": pa.string()}
SCHEMA = pa.schema(FILE | FOUND)
"""A row per photo: what the file system says, then the hash of the file's bytes, the size of the upright picture in
pixels, its perceptual fingerprint, and what is wrong with the photo, null if nothing is."""

CHUNK = 64
"""Photos that a process takes at a time; for no more than this, no process is started."""

Look = Callable[[pa.Table], pa.Table]


def inspect(
    paths: pa.Array | pa.ChunkedArray,
    root: Path | str,
    *,
    max_pixels: int = MAX_PIXELS,
    follow_links: bool = False,
    workers: int = 2,
    cache: Path | None = None,
    progress: bool = True,
) -> pa.Table:
    """Look at every photo and return what it is, or what is wrong with it.

    Args:
        paths: Strings, relative to ``root``; repeated ones are looked at once.
        root: Folder or URL that no photo may leave, be it by ``..``, an absolute path or a link.
        max_pixels: Photos that declare more are bad.
        follow_links: Whether links may lead out of the root: who made them, and no stranger, wants it so.
        workers: Processes that decode; below 2, the calling process does it.
        cache: Folder in which the result is kept for the next time; None keeps nothing.
        progress: Whether to show a bar if it takes long.

    Returns:
        The columns of ``SCHEMA``, a row for every path in the order given. The ``error`` of a bad photo names it; what
        could not be found out about it is null.

    Example:
        >>> inspect(pa.array(["../secret.jpg"]), Path("photos"))["error"].to_pylist()
        ['photos/../secret.jpg: leaves the folder photos']
    """
    files = _files(paths, root, follow_links=follow_links)
    look = partial(_look, root=root, max_pixels=max_pixels)
    if cache is None:
        return _joined(files, _look_at_all(_new(files), look, workers=workers, progress=progress))
    file = _cache_file(cache, root, max_pixels)
    # The processes of one training run start together: the first looks, the others wait and read what it found.
    with FileLock(file.with_suffix(".lock")):
        kept = _read(file)
        known = _holding(kept, files)
        fresh: list[pa.Table] = []
        try:
            fresh.extend(_look_at_all(_new(files, known), look, workers=workers, progress=progress))
        finally:
            # Also after Ctrl-C: hours of looking at a million photos are not lost.
            if fresh:
                with written_whole(file) as opened:
                    pq.write_table(_merged(kept, fresh), opened)
    return _joined(files, [known, *fresh])


def _files(paths: pa.Array | pa.ChunkedArray, root: Path | str, *, follow_links: bool) -> pa.Table:
    """Return the columns of ``FILE``, null where there is no file, and the ``error`` of paths that leave the root."""
    if is_url(root):
        facts, errors = _remote_facts(paths, str(root))
    else:
        facts, errors = _local_facts(paths, Path(root), _border(Path(root), follow_links=follow_links))
    size, changed = (pa.array(fact, mask=fact < 0) for fact in facts)
    error = pa.array([errors.get(row) for row in range(len(paths))] if errors else pa.nulls(len(paths)), pa.string())
    return pa.table([_flat(paths), size, changed, error], names=[*FILE, "error"])


def _remote_facts(paths: pa.Array | pa.ChunkedArray, root: str) -> tuple[np.ndarray, dict[int, str]]:
    """Return size and change of every file, -1 where there is none, and what is wrong with its path by row."""
    there, facts, errors = listed(root), np.full((2, len(paths)), -1), {}
    for row, (name, outside) in enumerate(zip(paths.to_pylist(), leaving(paths).to_pylist(), strict=True)):
        if outside:
            errors[row] = f"{location(root, name)}: leaves the folder {root}"
        elif name in there:
            facts[:, row] = there[name]
    return facts, errors


def _local_facts(
    paths: pa.Array | pa.ChunkedArray, root: Path, leaves: Callable[[str], str]
) -> tuple[np.ndarray, dict[int, str]]:
    """As :func:`_remote_facts`, of a local folder."""
    facts = np.full((2, len(paths)), -1)
    errors = {}
    for row, path in enumerate(paths):
        name = path.as_py()
        try:
            if why := leaves(name):
                errors[row] = f"{root / name}: {why}"
                continue
            status = (root / name).stat()
            facts[:, row] = status.st_size, status.st_mtime_ns
        # Not there, or not a possible name: whoever opens it will say so.
        except (OSError, ValueError):
            continue
    return facts, errors


def _border(root: Path, *, follow_links: bool) -> Callable[[str], str]:
    """Return what says how a relative path leaves the root, "" if it stays; folders are looked at once."""
    top = os.path.realpath(root)

    @memo
    def outside(part: str) -> str:
        place = os.path.realpath(root / part)
        return "" if os.path.commonpath([top, place]) == top else place

    def leaves(path: str) -> str:
        if Path(path).is_absolute() or os.path.normpath(path).split(os.sep, 1)[0] == os.pardir:
            return f"leaves the folder {root}"
        if follow_links:
            return ""
        place = outside(str(Path(path).parent))
        if not place and ((root / path).is_symlink() or Path(path).name == ".."):
            place = outside(path)
        way_out = f"by a link to {place}; if that is yours, data.follow_links=true"
        return f"leaves the folder {root} {way_out}" if place else ""

    return leaves


def _new(files: pa.Table, *known: pa.Table) -> pa.Table:
    """Return the files to look at, each once: those that stay in the root and are not known."""
    files = files.filter(pc.is_null(files["error"])).select(list(FILE))
    for table in known:
        files = files.filter(pc.invert(pc.is_in(files["path"], _flat(table["path"]))))
    paths = _flat(files["path"])
    return files.take(pc.index_in(pc.unique(paths), paths))


def _look_at_all(files: pa.Table, look: Look, *, workers: int, progress: bool) -> Iterator[pa.Table]:
    """Yield what was found about the files, some at a time, in their order."""
    # take copies: a slice would be sent to the worker with the whole table behind it.
    chunks = [files.take(np.arange(at, min(at + CHUNK, len(files)))) for at in range(0, len(files), CHUNK)]
    with _processes(workers if len(chunks) > 1 else 0) as mapped:
        # The processes start here, before the bar has a thread that would be running in the middle of a fork.
        tables = mapped(look, chunks)
        with Progress(transient=True, disable=not progress or len(files) < 1000) as bar:
            task = bar.add_task("looking at the photos", total=len(files))
            for found in tables:
                yield found
                bar.advance(task, len(found))


@contextmanager
def _processes(workers: int) -> Iterator[Callable[[Look, Iterable[pa.Table]], Iterator[pa.Table]]]:
    """Give a ``map`` that runs in so many processes, or in this one."""
    if workers < 2:
        yield map
        return
    pool = ProcessPoolExecutor(workers, initializer=_start_worker)
    try:
        yield pool.map
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that looked at photos was killed, most likely for its memory: lower max_pixels or workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C is for the parent, which then stops the workers; and without a parent nobody would stop them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _look(files: pa.Table, *, root: Path | str, max_pixels: int) -> pa.Table:
    rows = [_look_at_one(location(root, path), max_pixels=max_pixels) for path in files["path"].to_pylist()]
    found = pa.Table.from_pylist(rows, schema=pa.schema(FOUND))
    return pa.table([*files.columns, *found.columns], schema=SCHEMA)


def _look_at_one(place: str, *, max_pixels: int) -> dict[str, str | int | bytes]:
    """Return the columns of ``FOUND`` that are not null."""
    try:
        with open_photo(place, max_pixels=max_pixels) as photo:
            width, height = upright_size(photo)
            look = fingerprint(decode(photo, at_least=AT_LEAST))
        with fetched(place) if is_url(place) else Path(place).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except BadPhoto as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"{place}: {error.strerror}"}
    return {"sha256": sha256, "width": width, "height": height, "look": look}


def _joined(files: pa.Table, found: Iterable[pa.Table]) -> pa.Table:
    """Return the files in their order with what was found about each."""
    facts = pa.concat_tables([SCHEMA.empty_table(), *found])
    rows = facts.take(pc.index_in(files["path"], _flat(facts["path"])))
    error = pc.coalesce(files["error"], rows["error"])
    return pa.table([*files.select(list(FILE)).columns, *rows.select(list(FOUND)).columns[:-1], error], schema=SCHEMA)


def _cache_file(cache: Path, root: Path | str, max_pixels: int) -> Path:
    """Return where the facts are kept: another root, limit, decoder or kind of fingerprint may find others."""
    cache.mkdir(parents=True, exist_ok=True)
    place = root if is_url(root) else Path(root).resolve()
    key = hashlib.sha256(f"{place}\n{max_pixels}\n{decoder()}\n{BYTES}".encode()).hexdigest()
    return cache / f"inspection-{key[:12]}.parquet"


def _read(file: Path) -> pa.Table:
    """Return what was kept, nothing if the file is missing or damaged."""
    if not file.exists():
        return SCHEMA.empty_table()
    try:
        # Not by read_table, which takes folders named a=b for columns.
        kept = pq.ParquetFile(file).read()
        if kept.schema != SCHEMA:
            raise ValueError(f"columns {kept.schema.names}")
    except (OSError, ValueError) as error:
        warnings.warn(f"{file} is damaged and is made again ({error}): all photos are looked at", stacklevel=3)
        return SCHEMA.empty_table()
    return kept


def _holding(kept: pa.Table, files: pa.Table) -> pa.Table:
    """Return the kept rows whose files are as they were."""
    now = files.take(pc.index_in(kept["path"], _flat(files["path"])))
    same = pc.and_(pc.equal(kept["bytes"], now["bytes"]), pc.equal(kept["mtime_ns"], now["mtime_ns"]))
    return kept.filter(pc.and_(pc.fill_null(same, False), pc.is_null(now["error"])))


def _merged(kept: pa.Table, fresh: list[pa.Table]) -> pa.Table:
    """Return the good photos of both, as last seen."""
    new = pa.concat_tables(fresh)
    old = kept.filter(pc.invert(pc.is_in(kept["path"], _flat(new["path"]))))
    return pa.concat_tables([old, new.filter(pc.is_null(new["error"]))])


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
