"""Give freed memory back to the system.

A catalog is opened once and then lies in memory for days, in every process that trains. Opening it takes a few times
the memory of what stays, which allocators keep for later: Arrow's always, glibc's if it is told to
(tagger.model.allocation) or if something small was allocated last.
"""

import ctypes
import platform

import pyarrow as pa


def give_back_freed_memory() -> None:
    """Ask Arrow and, where it is the C library, glibc to return what is free; nothing that is in use moves."""
    pa.default_memory_pool().release_unused()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
