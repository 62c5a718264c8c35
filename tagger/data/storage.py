"""Where photos lie: a local folder, or any place that fsspec knows by a URL (``s3://bucket/album``, ``memory://``)."""

import hashlib
import io
from pathlib import Path, PurePosixPath

import fsspec


class Remote(io.BytesIO):
    """The bytes of a file that was fetched; ``name`` is its URL."""

    name: str


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
    with fsspec.open(url, "rb") as file:
        remote = Remote(file.read())
    remote.name = url
    return remote


def listed(root: str) -> dict[str, tuple[int, int]]:
    """Return size in bytes and a number that changes with the content of every file under a URL, by relative path."""
    filesystem, folder = fsspec.core.url_to_fs(root)
    start = len(folder.rstrip("/")) + 1
    found = filesystem.find(folder, detail=True).items()
    return {name[start:]: (int(info["size"] or 0), _change(info)) for name, info in found}


def leaves(path: str) -> bool:
    """Return whether a relative path leads out of the folder it is relative to, by its text alone.

    Example:
        >>> leaves("../secret.jpg"), leaves("/etc/passwd"), leaves("images/1.jpg")
        (True, True, False)
    """
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


def _change(info: dict[str, object]) -> int:
    """Return a number for what a store says of a file's version: an ETag, or when it was written."""
    said = next((str(info[key]) for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in info), "")
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:7], "big")
