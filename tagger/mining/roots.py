"""Where a pool lies: the folder or URL below which its photos have paths of their own, as in a catalog."""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from tagger.data.finding import found
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.errors import UserError


def below(photos: Sequence[str], places: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the folder or URL below which all photos of some places lie, and the paths of photos below it.

    Args:
        photos: Paths or URLs.
        places: As for `tagger.data.finding.found`; the photos are among what they mean.

    Raises:
        UserError: If the places have nothing in common, or a photo does not lie there.

    Example:
        >>> below(["/photos/2020/1.jpg"], ["/photos/2019", "/photos/2020/*.jpg"])
        ('/photos', ('2020/1.jpg',))
        >>> below(["s3://bucket/album/2019/1.jpg"], ["s3://bucket/album/"])
        ('s3://bucket/album', ('2019/1.jpg',))
    """
    folders = [folder for place in places if (folder := _folder(place)) is not None]
    if not any(map(is_url, folders)):
        root = os.path.commonpath(folders)
    elif len(set(folders)) == 1:
        root = folders[0]
    else:
        raise UserError("photos behind several URLs cannot become candidates at once: take one pool at a time")
    return root, tuple(_relative(photo, root) for photo in photos)


def _relative(photo: str, root: str) -> str:
    if is_url(photo):
        path = photo.removeprefix(root.rstrip("/") + "/")
        lies_there = path != photo
    else:
        path = os.path.relpath(_absolute(photo), root)
        lies_there = path.split(os.sep, 1)[0] != os.pardir
    if not lies_there:
        raise UserError(f"{photo} does not lie below {root}, where the pool is")
    # A catalog's paths are UTF-8. What is none becomes escapes, as in photos.csv, and is told as a missing file.
    return path.encode(errors="backslashreplace").decode()


def _folder(place: str) -> str | None:
    """Return what a place begins with that is neither pattern nor file; of a list, where its photos lie, if any."""
    if is_url(place):
        plain = re.split(r"[*?\[]", place, maxsplit=1)[0]
        return (plain if plain == place else plain.rpartition("/")[0]).rstrip("/")
    path = Path(_absolute(place))
    if path.is_file() and path.suffix.lower() == ".txt":
        listed = {os.path.dirname(photo) for photo in found([str(path)], Skipped())}  # noqa: PTH120 (a Path per photo)
        if any(map(is_url, listed)):
            raise UserError(
                f"{place}: photos behind URLs cannot become candidates from a list: give their folder as pool"
            )
        return os.path.commonpath([_absolute(folder or os.curdir) for folder in listed]) if listed else None
    while not path.is_dir() and (glob.has_magic(str(path)) or path.is_file()):
        path = path.parent
    return str(path)


def _absolute(place: str) -> str:
    return os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111 (links stay as they are)
