"""One writer at a time: a lock that ends with its process and tells others who holds it."""

import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from tagger.errors import UserError
from tagger.pages.visible import visible

IN_FOLDER = ".lock"
"""What the lock of a folder is called."""


@contextmanager
def only_writer(place: Path, *, way_out: str = "", wait: bool = False) -> Iterator[None]:
    """Keep other writers out of a file or folder; the lock is a hidden file, in the folder or beside the file.

    Args:
        place: The file, or a folder that is there.
        way_out: What another one can do instead of waiting.
        wait: Whether to wait for another one.

    Raises:
        UserError: If another process writes there; says which one.
        OSError: If the lock cannot be written.
    """
    # Not above: a bundle tags photos without it.
    from filelock import FileLock, Timeout

    # However it is called: two names may be links to one file.
    real = Path(os.path.realpath(place))
    path = real / IN_FOLDER if real.is_dir() else real.with_name(f".{real.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        instead = f", or {way_out}" if way_out else ""
        raise UserError(
            f"{place}: another process is writing there{_who(path)}; wait until it is done, or end it{instead}"
        ) from None
    try:
        # A full disk is no reason not to begin: not all that comes needs room.
        with suppress(OSError):
            path.write_text(_ourselves(), encoding="utf-8")
        yield
    finally:
        # While it is held: who waits for this file sees that it is gone, and makes another one.
        with suppress(OSError):
            path.unlink()
        lock.release()


def _ourselves() -> str:
    command = shlex.join(["python", *sys.orig_argv[1:]]).encode(errors="backslashreplace").decode()
    return f"process {os.getpid()} on {socket.gethostname()} since {datetime.now():%Y-%m-%d %H:%M:%S}: {command}"


def _who(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return f" ({visible(text[:300])})" if text else ""
