"""Mistakes that the user can mend and failures of the machine: one message that says how, without a traceback.

What else is raised is a mistake of ours and keeps its traceback; with ``HYDRA_FULL_ERROR=1`` failures keep theirs, too.
"""

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagger.pages.visible import visible

_ROOM = "make room, or name a place on another disk"
_RIGHTS = "have its owner allow it, or name another place"

FAILURES = {
    errno.ENOSPC: f"the disk is full; {_ROOM}",
    errno.EDQUOT: f"your share of the disk is used up; {_ROOM}",
    errno.EFBIG: "the file is larger than this disk or your limits (ulimit -f) allow; name a place on another disk",
    errno.EROFS: "the disk is read-only; name another place, or have the disk mounted for writing",
    errno.EACCES: f"permission denied; {_RIGHTS}",
    errno.EPERM: f"operation not permitted; {_RIGHTS}",
    errno.EIO: "the disk fails (input/output error); save what is on it and have the disk, or its cable, looked at",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.ELOOP: "its links lead in a circle; remove the link, or name what it should lead to",
    errno.EMFILE: "this process may not open more files; allow more (ulimit -n), or set fewer workers",
    errno.ENFILE: "the machine may not open more files; end what has them open, or allow more (sysctl fs.file-max)",
    errno.ENOTDIR: "a file is in the place of a folder; name another place, or move the file away",
    errno.EISDIR: "a folder is in the place of a file; name another place, or move the folder away",
    errno.ENOMEM: "the memory is used up; end other programs, or set fewer workers or a smaller batch_size",
    errno.ESTALE: "the network drive has lost it (stale file handle); mount the drive again",
    errno.ENOTCONN: "the network drive is not connected; mount it again",
}
"""What a failure of the machine is called and the way out, by error number."""

WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""Failures of writing, which the system tells without saying of which file."""

_OF_SQLITE = {
    sqlite3.SQLITE_FULL: FAILURES[errno.ENOSPC],
    sqlite3.SQLITE_IOERR: FAILURES[errno.EIO],
    sqlite3.SQLITE_READONLY: f"it is read-only; {_RIGHTS}",
    sqlite3.SQLITE_CANTOPEN: f"it cannot be opened; see that its folder is there, {_RIGHTS}",
    sqlite3.SQLITE_BUSY: "another process holds it; wait until that is done, or end it",
    sqlite3.SQLITE_LOCKED: "another process holds it; wait until that is done, or end it",
}

# An error that comes from another process, or through C++, is text: "[Errno 28] No space left on device: 'a.npy'".
_PLACE = re.compile(r"\[Errno \d+\][^'\n]*: '([^'\n]+)'")
# What NumPy and PyTorch call a full disk.
_FULL = re.compile(r"Not enough free space|requested and \d+ written|PytorchStreamWriter failed|unexpected pos \d+ vs")


class UserError(Exception):
    """The message names the thing, the value, the place and the way out."""


@contextmanager
def shown_plainly() -> Iterator[None]:
    """End the command with the message of a UserError or a failure and exit code 1.

    In a multirun the sweep decides what a failed job is.
    """
    try:
        yield
    except Exception as error:
        message = None if _is_in_multirun() else _message(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(1) from None


def failure(error: BaseException | None) -> str | None:
    """Return what a failure of the machine is and the way out, None if the error is something else.

    Example:
        >>> failure(OSError(errno.ENOSPC, "No space left on device", "runs/last.ckpt"))
        'runs/last.ckpt: the disk is full; make room, or name a place on another disk'
        >>> failure(KeyError("beach"))
    """
    while error is not None:
        if message := _failure(error):
            return message
        error = _below(error)
    return None


def reason(error: OSError) -> str:
    """Return why a file could not be read or written, with the way out where there is one.

    Example:
        >>> reason(OSError(errno.EROFS, "Read-only file system", "/media/tags.csv"))
        'the disk is read-only; name another place, or have the disk mounted for writing'
        >>> reason(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.jpg"))
        'No such file or directory'
    """
    return FAILURES.get(error.errno or 0, error.strerror or str(error))


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Give a failure of writing, which says no name by itself, the name of a file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in WRITING:
            error.filename = str(path)
        raise


def _message(error: Exception) -> str | None:
    from hydra.errors import InstantiationException

    # Hydra wraps what a constructor raises.
    cause = error.__cause__ if isinstance(error, InstantiationException) else error
    if isinstance(cause, UserError):
        return str(cause)
    if os.environ.get("HYDRA_FULL_ERROR") == "1" or (message := failure(error)) is None:
        return None
    return f"{message}; then type the same command again"


def _is_in_multirun() -> bool:
    # Not above: the runtime of a bundle raises UserErrors without Hydra.
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN


def _failure(error: BaseException) -> str | None:
    if isinstance(error, sqlite3.Error):
        way_out = _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        return way_out and f"a database (of MLflow, or of a search): {way_out}"
    if not isinstance(error, OSError | RuntimeError):
        return None
    number, place, text = getattr(error, "errno", None), getattr(error, "filename", None), str(error)
    if number is None:
        number = next((one for one in FAILURES if os.strerror(one) in text), None)
        place = found[1] if (found := _PLACE.search(text)) else None
    if number is None and _FULL.search(text):
        return f"a file cannot be written, most likely because {FAILURES[errno.ENOSPC]}"
    way_out = FAILURES.get(number or 0)
    return f"{visible(os.fsdecode(place))}: {way_out}" if way_out and isinstance(place, str | bytes) else way_out


def _below(error: BaseException) -> BaseException | None:
    """Return what an error came of: what a library wraps, but not what a mistake of ours happened beside."""
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        # Of SQLAlchemy.
        return original
    is_ours = isinstance(error, LookupError | TypeError | AttributeError | NameError | AssertionError)
    return None if is_ours else error.__context__
