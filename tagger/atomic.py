"""Files and folders that are there whole or not at all.

They are written beside their place and then put there. What is unfinished has a lock, which ends with the process that
writes it: without one it was left by a writer that was killed, and the next one who writes into the folder removes it.
"""

import ctypes
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tagger.errors import WRITING

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:
    # On Windows what is open can be neither renamed nor removed: nothing is locked there, and nothing swept.
    flock = None  # type: ignore[assignment]

_OURS = re.compile(r"\..+\.[a-z0-9_]{8}\.unfinished")
"""Names of what is not in its place yet."""

_SWEPT: set[Path] = set()
"""Folders in which this process has looked for what others left."""

if flock is not None:
    os.register_at_fork(after_in_child=_SWEPT.clear)


@contextmanager
def written_whole(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Give a file to write beside its place; then flush it to the disk and rename it: a reader never sees half of it.

    Args:
        path: Its place.
        mode: Who may read and write it; None is as for new files, not to be used in threads.

    Raises:
        OSError: If the folder is missing, full or not writable; the previous file is then as it was.
    """
    with _unfinished(path) as beside:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # It was made so that only its owner may read it.
        beside.chmod(mode_of_new_files() if mode is None else mode)
        beside.replace(path)
    _flush_folder(path.parent)


@contextmanager
def folder_whole(path: Path, *, instead: bool = True) -> Iterator[Path]:
    """Give a folder to fill beside its place; then put it there, instead of the one that is there.

    Args:
        path: Its place.
        instead: False: what is there stays, unless it is an empty folder.

    Raises:
        FileExistsError: If something is there that stays.
        OSError: As :func:`written_whole`.
    """
    # Of a link, what it leads to.
    path = Path(os.path.realpath(path))
    with _unfinished(path, is_folder=True) as beside:
        yield beside
        beside.chmod(0o777 & ~_umask())
        _put(beside, path, instead=instead)
    _flush_folder(path.parent)


def mode_of_new_files() -> int:
    """Return who may read and write new files. The umask can be asked only by setting it: not in threads."""
    return 0o666 & ~_umask()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as :func:`written_whole` does.

    Line ends are written as given. Lone surrogates, which UTF-8 does not know, become escapes.
    """
    with written_whole(path) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))


@contextmanager
def _unfinished(path: Path, *, is_folder: bool = False) -> Iterator[Path]:
    """Give a file or folder beside a place, locked; what is still there at the end is removed."""
    _sweep(path.parent)
    beside, lock = path, None
    try:
        while lock is None:
            beside = _made(path, is_folder=is_folder)
            lock = _locked(beside)
        yield beside
    except OSError as error:
        # The name that the user knows; a full disk is told without any.
        if error.filename == str(beside) or (error.filename is None and error.errno in WRITING):
            error.filename = str(path)
        raise
    finally:
        if beside != path:
            _remove(beside)
        if lock is not None:
            os.close(lock)


def _made(path: Path, *, is_folder: bool) -> Path:
    # Not all of the name: with what is added it could be longer than names may be.
    prefix, suffix = f".{path.name[:40]}.", ".unfinished"
    try:
        if is_folder:
            return Path(tempfile.mkdtemp(suffix, prefix, path.parent))
        handle, name = tempfile.mkstemp(suffix, prefix, path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    os.close(handle)
    return Path(name)


def _locked(beside: Path) -> int | None:
    """Return the handle of a lock on what is unfinished, None if somebody took it for left over and removed it."""
    if flock is None:
        return os.open(os.devnull, os.O_RDONLY)
    try:
        handle = os.open(beside, os.O_RDONLY if beside.is_dir() else os.O_RDWR)
    except FileNotFoundError:
        return None
    # There are disks without locks; nobody sweeps there, either.
    with suppress(OSError):
        flock(handle, LOCK_EX)
    if beside.exists():
        return handle
    os.close(handle)
    return None


def _sweep(folder: Path) -> None:
    """Remove what writers left in a folder who were killed; once in a process, since folders may be large."""
    folder = folder.absolute()
    if flock is None or folder in _SWEPT:
        return
    _SWEPT.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name):
                _remove_if_left(Path(entry.path), os.O_RDONLY if entry.is_dir(follow_symlinks=False) else os.O_RDWR)


def _remove_if_left(path: Path, flags: int) -> None:
    # Somebody is writing it, removes it just now, or it is another user's.
    with suppress(OSError):
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            flock(handle, LOCK_EX | LOCK_NB)
            _remove(path)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _put(folder: Path, path: Path, *, instead: bool) -> None:
    """Rename a folder to a place; what was there has the name of the folder then."""
    try:
        folder.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not instead:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
    else:
        return
    if not _swapped(folder, path):
        aside = folder.with_name(f"{folder.name}.aside")
        path.rename(aside)
        folder.rename(path)
        aside.rename(folder)


def _swapped(one: Path, other: Path) -> bool:
    """Swap two names, so that a kill finds one or the other; False where the system or the disk cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here, swap = -100, 2
    return rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _flush_folder(folder: Path) -> None:
    """Flush the folder's own record of the new name; Windows neither needs nor allows it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
