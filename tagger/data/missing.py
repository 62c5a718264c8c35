"""Why photos that a list names are probably not where it says: how the name is written, or the folder."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from tagger.data.storage import is_url


def likely_cause(missing: Iterable[str]) -> str:
    """Return in a sentence why photos are missing, by the first whose folder tells; "" if there is none to look at.

    Args:
        missing: Paths; URLs are passed over.

    Example:
        >>> likely_cause(["nowhere/a.jpg"])
        'There is no nowhere in .: is it the right root folder, and are the photos below it?'
    """
    causes = [_cause(Path(place)) for place in missing if not is_url(place)]
    return next((cause for cause in causes if cause), "")


def _cause(photo: Path) -> str:
    for place in (photo, *photo.parents):
        folder = place.parent
        if not os.path.lexists(place) and folder.is_dir():
            return _beside(place.name, folder)
    return ""


def _beside(name: str, folder: Path) -> str:
    """Return what a folder has instead of a name that it has not."""
    names = sorted(os.listdir(folder))  # noqa: PTH208 - names, of which there may be a million
    normal = unicodedata.normalize("NFC", name)
    for other in names:
        if unicodedata.normalize("NFC", other) == normal:
            return f"The Unicode normal form differs: {folder} has {other!r} in another spelling of the same letters"
    for other in names:
        if unicodedata.normalize("NFC", other).casefold() == normal.casefold():
            return f"The letters' case differs: {folder} has {other}, and not {name}"
    stem = Path(normal).stem.casefold()
    for other in names:
        if Path(unicodedata.normalize("NFC", other)).stem.casefold() == stem:
            return f"The ending differs: {folder} has {other}, and not {name}"
    return f"There is no {name} in {folder}: is it the right root folder, and are the photos below it?"
