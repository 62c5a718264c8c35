"""Turns that a program keeps in a sidecar (``tiff:Orientation``) and not in the photo.

They are counted and not applied, anywhere: what is computed of a photo is kept under the hash of its bytes, and two
photos of the same bytes would lie in two ways.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tagger.data.photo import BadPhoto, exif_orientation, open_photo
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url

IGNORED = "turn that only its sidecar knows (tiff:Orientation), so that the photo is seen as it lies"

_ORIENTATION = re.compile(rb"""\bOrientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")

_MOST = 1 << 20
"""Bytes of a sidecar that are looked at."""


def count_turns(photos: Iterable[str], skipped: Skipped) -> None:
    """Count the photos that a sidecar says to turn otherwise than they say themselves; those behind URLs have none."""
    for photo in photos:
        if not is_url(photo) and _is_turned_elsewhere(photo):
            skipped.add(IGNORED, photo)


def _is_turned_elsewhere(photo: str) -> bool:
    orientation = _said_by(f"{photo}.xmp") or _said_by(f"{os.path.splitext(photo)[0]}.xmp")  # noqa: PTH122 - a million photos
    if not orientation:
        return False
    try:
        with open_photo(photo) as opened:
            return exif_orientation(opened) != orientation
    except BadPhoto:
        return False


def _said_by(sidecar: str) -> int:
    """Return the orientation in a sidecar, 0 if there is none."""
    try:
        # Opening a pipe would wait for ever.
        if not Path(sidecar).is_file():
            return 0
        with Path(sidecar).open("rb") as file:
            found = _ORIENTATION.search(file.read(_MOST))
    except (OSError, ValueError):
        return 0
    return int(found[1]) if found else 0
