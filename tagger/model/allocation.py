"""Keep freed memory in the process, for networks on the CPU.

glibc gives every large block back to the system when it is freed and asks for it again a millisecond later; the system
hands it out zeroed, page by page. A convolutional network on the CPU allocates large blocks in every layer, and on a
virtual machine it may spend most of its time there (see experiments/performance/allocation.md).
"""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of mallopt(3)."""


def keep_freed_memory() -> bool:
    """Ask glibc to reuse freed memory instead of returning it; returns whether it will.

    It does nothing where the C library is another one. The process keeps its peak memory until it ends.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, 2**31 - 1))
