"""The process that started this one."""

import ctypes
import signal
from contextlib import suppress

_PARENT_DEATH_SIGNAL = 1


def end_with_parent() -> None:
    """Have Linux end this process when the one that started it ends, also when that is killed; others do nothing."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
