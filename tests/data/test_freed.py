"""Freed memory goes back to the system."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np
from tagger.data.catalog.freed import give_back_freed_memory
from tagger.model.allocation import keep_freed_memory

def megabytes():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024

assert keep_freed_memory()
before = megabytes()
blocks = [np.ones(1 << 17) for _ in range(100)]
held = megabytes()
kept = blocks[50]
blocks.clear()
freed = megabytes()
give_back_freed_memory()
assert kept.sum() == 1 << 17
print(*(round(number - before) for number in (held, freed, megabytes())))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep it, and to give it back")
def test_what_was_freed_goes_back_even_where_glibc_is_told_to_keep_it() -> None:
    answer = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    held, freed, given_back = map(int, answer.split())
    assert held >= 99
    assert freed >= 90, "glibc gave it back unasked, so this shows nothing"
    assert given_back <= 10
