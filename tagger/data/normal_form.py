"""Files whose names are written in another Unicode normal form than their paths: macOS takes é apart, others do not."""

import os
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tagger.data.storage import is_url

if TYPE_CHECKING:
    # A bundle finds local photos without it.
    import pyarrow as pa


def as_on_disk(path: str, root: str | Path = "") -> str:
    """Return a path as the disk writes it: each part in the normal form, NFC or NFD, in which it is there.

    Args:
        path: A local path; what is not there in either form is returned as it is.
        root: Folder that it is relative to.

    Example:
        >>> as_on_disk("nowhere/é.jpg")
        'nowhere/é.jpg'
    """
    # Letters of ASCII have one form; looking costs a call of the system.
    if path.isascii() or os.path.lexists(os.path.join(root, path)):  # noqa: PTH118 (a Path drops "./" and a last "/")
        return path
    found = PurePosixPath()
    for part in PurePosixPath(path).parts:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        there = next((form for form in forms if os.path.lexists(root / found / form)), None)
        if there is None:
            return path
        found /= there
    return str(found)


def all_as_on_disk(paths: "pa.ChunkedArray | pa.Array", root: str | Path) -> "pa.ChunkedArray | pa.Array":
    """Return paths, strings or null, as the disk writes them; behind a URL as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_url(root) or pc.all(pc.string_is_ascii(paths), min_count=0).as_py():
        return paths
    return pa.array([path and as_on_disk(path, root) for path in paths.to_pylist()], pa.string())
