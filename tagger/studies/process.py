"""A command as a process of its own: what happens to it happens to nobody else, and it cannot stay for ever."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_C = ctypes.CDLL(None) if sys.platform == "linux" else None
_DIE_WITH_PARENT = 1


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    """Negative is the number of the signal that ended it."""
    seconds: float
    was_late: bool
    """It was stopped because its time was up."""
    was_interrupted: bool
    """It was stopped because Ctrl-C was pressed, or because we were told to end."""


def run_limited(
    command: Sequence[str], *, output: Path, seconds: float, stop_seconds: float, keep_open: int | None = None
) -> Ended:
    """Run a command to its end, or stop it when its time is up or Ctrl-C is pressed.

    To stop is to ask it first (SIGTERM: a training keeps its checkpoint) and then to kill it and all that it started.
    Should we be killed ourselves, Linux kills the command, too: nobody would stop it or hear of it any more.

    Args:
        command: The program and its words.
        output: File that its output and errors are added to.
        seconds: How long it may take.
        stop_seconds: How long it may take to stop.
        keep_open: Handle of a file that it inherits: a lock on it is held for as long as any process of it lives.
    """
    started = time.monotonic()
    was_late = was_interrupted = False
    with output.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches us alone, and we can kill all that it started.
            start_new_session=True,
            pass_fds=[] if keep_open is None else [keep_open],
            # One call of the C library, which was loaded before: safe in threads, too.
            preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509
        )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        was_late = True
        was_interrupted = _ask(process, stop_seconds)
    except KeyboardInterrupt:
        was_interrupted = True
        _ask(process, stop_seconds)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(process.returncode, time.monotonic() - started, was_late, was_interrupted)


def _ask(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Ask a process to end, and wait so long; say whether Ctrl-C ended the waiting."""
    # It alone: a training whose decoding processes end first stops with an error instead of a checkpoint.
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    except KeyboardInterrupt:
        return True
    return False


def _dying_with(parent: int) -> Callable[[], None] | None:
    """Return what a new process does so that it does not outlive the process with this number."""
    if _C is None:
        return None
    prctl = _C.prctl

    def ask() -> None:
        prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        # It may have ended before it was asked.
        if os.getppid() != parent:
            os._exit(1)

    return ask
