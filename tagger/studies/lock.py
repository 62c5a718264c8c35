"""A job's lock: held by who runs it and by its training, and let go however they end."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "lock"


@contextmanager
def alone(folder: Path, seconds: float) -> Iterator[int | None]:
    """Give the handle of the job's lock, or None if another process holds it for longer than so many seconds.

    The training inherits it: the job is taken for as long as that lives, whatever becomes of us.
    """
    with (folder / NAME).open("a") as file:
        deadline = time.monotonic() + seconds
        while not _take(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                yield None
                return
            time.sleep(0.2)
        yield file.fileno()


def is_held(folder: Path) -> bool:
    """Say whether a process holds the lock of the job with this folder."""
    path = folder / NAME
    if not path.is_file():
        return False
    with path.open() as file:
        return not _take(file.fileno(), fcntl.LOCK_SH)


def _take(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
