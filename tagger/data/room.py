"""Room on the disk for what a backbone gives of all photos: it may be much."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from tagger.errors import UserError

MUCH = 2**28
"""Bytes from which on a run says what its views take."""


def make_room(shape: Sequence[int], views: int, folder: Path) -> None:
    """Say what the views that are left take where that is much, and refuse what the disk has no room for.

    Args:
        shape: Of a view: (photos, …), float16.
        views: How many are left.
        folder: Where they are to lie.

    Raises:
        UserError: If they do not fit.
    """
    needed, free = 2 * math.prod(shape) * views, shutil.disk_usage(folder).free
    takes = f"{views} view{'s' if views != 1 else ''} of {shape[0]:,} photos take {needed / 1e9:.1f} GB"
    if needed > free:
        raise UserError(
            f"{takes} and {folder} has {free / 1e9:.1f} GB free: make room, set TAGGER_CACHE to a folder on another "
            "disk, keep less (regime.views, head.grid, head=linear), or keep nothing (regime=head)"
        )
    if needed > MUCH:
        print(f"{takes} under {folder}, which has {free / 1e9:.0f} GB free", flush=True)
