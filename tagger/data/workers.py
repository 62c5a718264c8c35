"""Worker processes of one command: that they start, hear each other, and end with it."""

import multiprocessing
import os
import tempfile
from multiprocessing import util
from typing import Any

from tagger.parent import end_with_parent

LONGEST = 107
"""Bytes of a socket's address that Linux takes."""

_ADDRESS = len("/pymp-00000000/listener-00000000")


def worker_settings(workers: int) -> dict[str, Any]:
    """Return a DataLoader's settings that give it so many worker processes, and let them talk.

    Example:
        >>> worker_settings(2)["num_workers"]
        2
    """
    fit_sockets()
    # In a job of Hydra's joblib launcher the start method is joblib's, which starts none but joblib's own processes.
    methods = multiprocessing.get_all_start_methods()
    is_pythons = multiprocessing.get_start_method() in methods
    return {
        "num_workers": workers,
        "multiprocessing_context": None if is_pythons or not workers else methods[0],
        "worker_init_fn": _end_with_parent,
    }


def _end_with_parent(_: int) -> None:
    """End when the command is killed, before a closed connection is met."""
    end_with_parent()


def fit_sockets() -> None:
    """Let processes talk through sockets in ``/tmp`` if an address in ``TMPDIR`` would be too long.

    Python does so from 3.14 on. Before, worker processes of a DataLoader wait for ever for a process that cannot begin
    to listen.
    """
    if os.name == "posix" and len(os.fsencode(tempfile.gettempdir())) + _ADDRESS > LONGEST:
        before, tempfile.tempdir = tempfile.tempdir, "/tmp"  # A folder of its own is made there.
        try:
            # The folder is made once, kept for the processes that this one starts, and removed at its end.
            util.get_temp_dir()
        finally:
            tempfile.tempdir = before
