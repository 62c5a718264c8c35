"""Sockets that processes of one command talk through."""

import os
import tempfile
from multiprocessing import util

LONGEST = 107
"""Bytes of a socket's address that Linux takes."""

_ADDRESS = len("/pymp-00000000/listener-00000000")


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
