"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Give a file to write beside its place; then flush it to the disk and rename it: a reader never sees half of it.

    Args:
        path: Its place.
        mode: Who may read and write it; None is as for new files, not to be used in threads.

    Raises:
        OSError: If the folder is missing, full or not writable; the previous file is then as it was.
    """
    # Not all of the name: with what is added it could be longer than names may be.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner may read.
        beside.chmod(mode_of_new_files() if mode is None else mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def mode_of_new_files() -> int:
    """Return who may read and write new files. The umask can be asked only by setting it: not in threads."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as :func:`written_whole` does.

    Line ends are written as given. Lone surrogates, which UTF-8 does not know, become escapes.
    """
    with written_whole(path) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))


def _flush_folder(folder: Path) -> None:
    """Flush the folder's own record of the new name; Windows neither needs nor allows it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
