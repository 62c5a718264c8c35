"""Where photos lie: a local folder, or any place that fsspec knows by a URL (``s3://bucket/album``, ``memory://``)."""

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A bundle tags local photos without either of them.
    import pyarrow as pa

# "..", a root, a drive; "\" is a separator on Windows, and a path is judged alike everywhere.
_LEAVING = r"^[/\\]|^[A-Za-z]:[/\\]|(^|[/\\])\.\.([/\\]|$)"


class Remote(io.BytesIO):
    """The bytes of a file that was fetched; ``name`` is its URL or path."""

    name: str

    @property
    def sha256(self) -> str:
        """Hash of the bytes, 64 hex digits."""
        return hashlib.sha256(self.getbuffer()).hexdigest()


def is_url(place: str | Path) -> bool:
    """Return whether a place is a URL and not a local path.

    Example:
        >>> is_url("s3://bucket/album"), is_url("C:/album")
        (True, False)
    """
    return "://" in str(place)


def location(root: str | Path, path: str) -> str:
    """Return where the photo of a relative path lies.

    Example:
        >>> location("memory://album/", "images/1.jpg")
        'memory://album/images/1.jpg'
    """
    return f"{str(root).rstrip('/')}/{path}" if is_url(root) else str(Path(root) / path)


def fetched(url: str) -> Remote:
    """Return the bytes behind a URL.

    Raises:
        OSError: If there is nothing, or it cannot be reached.
    """
    import fsspec

    with fsspec.open(url, "rb") as file:
        remote = Remote(file.read())
    remote.name = url
    return remote


def listed(root: str) -> dict[str, tuple[int, int]]:
    """Return size in bytes and a number that changes with the content of every file under a URL, by relative path."""
    import fsspec

    filesystem, folder = fsspec.core.url_to_fs(root)
    start = len(folder.rstrip("/")) + 1
    found = filesystem.find(folder, detail=True).items()
    return {name[start:]: (int(info["size"] or 0), _change(info)) for name, info in found}


def leaving(paths: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    r"""Return which paths would leave the folder that they are relative to, or are absolute.

    Links are not followed here: where they lead is found when the photos are inspected.

    Example:
        >>> import pyarrow as pa
        >>> leaving(pa.array(["a/b.jpg", "a..b.jpg", "a/../../b.jpg", "/etc/passwd", "C:\\b.jpg"])).to_pylist()
        [False, False, True, True, True]
    """
    import pyarrow.compute as pc

    return pc.match_substring_regex(paths, _LEAVING)


def _change(info: dict[str, object]) -> int:
    """Return a number for what a store says of a file's version: an ETag, or when it was written."""
    version = next((str(info[key]) for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in info), "")
    return int.from_bytes(hashlib.sha256(version.encode()).digest()[:7], "big")
