"""Photos that somebody sends as text: the base64 of their bytes or, where it was allowed, the path of a photo.

Whoever may send text to a server may read whatever the server reads. So a path is never read unless the one who runs
the server, or the Spark job, names a folder in the environment variable ``TAGGER_PHOTO_ROOT``. Then a text *is* a
path, below this folder, and never base64; without it, a text is base64, and never a path. The sender decides neither.
"""

import base64
import io
import re
from pathlib import Path

from tagger.data.photo import BadPhoto, PhotoFile
from tagger.data.storage import is_url

ROOT = "TAGGER_PHOTO_ROOT"
"""Environment variable: the folder, or the URL of one, below which photos may be read; unset or empty: none may."""

MAX_BYTES = 64 * 2**20
"""Of a photo's file as base64: the largest photos that phones make have 50 MiB."""

OUTSIDE = f"photo: outside of {ROOT}"
"""Where that is, the sender need not know."""

_LINE_BREAKS = {ord("\r"): None, ord("\n"): None}

# "..", an empty step, and fsspec's way to chain file systems: what makes a URL lead elsewhere than it begins.
_LEADS_AWAY = re.compile(r"(^|/)\.\.(/|$)|//|::|%2e|%2f|[\\\x00-\x1f]", re.IGNORECASE)


def sent_photo(text: object, root: str | None = None) -> PhotoFile:
    """Return the photo that a text stands for.

    Args:
        text: Base64 of a photo's bytes, line breaks allowed; a path or URL where there is a root.
        root: Folder or URL below which photos may be read.

    Raises:
        BadPhoto: If it is neither, too large, or outside of the root.

    Example:
        >>> sent_photo("aGVsbG8=").read()
        b'hello'
        >>> sent_photo("2019/beach.jpg", "s3://bucket/album")
        's3://bucket/album/2019/beach.jpg'
    """
    if not isinstance(text, str):
        raise BadPhoto(f"photo: a text is expected, got {text!r:.40}")
    if not root:
        return decoded(text)
    return below_url(text, root) if is_url(root) else below_folder(text, root)


def decoded(text: str) -> io.BytesIO:
    """Return the bytes that a base64 text stands for.

    Raises:
        BadPhoto: If it is none, or longer than a photo may be.
    """
    if len(text) > MAX_BYTES * 3 // 2:
        # Even with a line break after every fourth character it would be too large.
        raise BadPhoto(f"photo: more than {MAX_BYTES:,} bytes")
    try:
        # Spark's base64() and the command of this name break lines.
        data = base64.b64decode(text.translate(_LINE_BREAKS), validate=True)
    except ValueError as error:
        raise BadPhoto("photo: not the base64 text of a photo's bytes") from error
    if not data:
        raise BadPhoto("photo: empty file")
    if len(data) > MAX_BYTES:
        raise BadPhoto(f"photo: {len(data):,} bytes, more than {MAX_BYTES:,}")
    return io.BytesIO(data)


def below_folder(path: str, root: str) -> str:
    """Return the path of a photo, with all links followed, if it lies below a folder.

    Spark writes local paths as ``file:/…`` and ``file:///…``: they are understood.

    Raises:
        BadPhoto: If it lies elsewhere.
    """
    local = re.sub(r"^file:/(//)?", "/", path)
    if is_url(local):
        raise BadPhoto(OUTSIDE)
    try:
        folder = Path(root).resolve(strict=True)
        place = (folder / local).resolve()
    # A NUL, a name that is too long, links in a circle.
    except (OSError, ValueError, RuntimeError) as error:
        raise BadPhoto(f"photo: cannot be opened ({error})") from error
    if folder not in place.parents:
        raise BadPhoto(OUTSIDE)
    return str(place)


def below_url(path: str, root: str) -> str:
    """Return the URL of a photo if it lies below another.

    Raises:
        BadPhoto: If it lies elsewhere.
    """
    start = root.rstrip("/") + "/"
    relative = path.removeprefix(start)
    if not relative or relative.startswith("/") or is_url(relative) or _LEADS_AWAY.search(relative):
        raise BadPhoto(OUTSIDE)
    return start + relative
