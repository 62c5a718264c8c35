"""Of a photo: its id, a small picture to show, and the pixels for the network; read in processes of their own.

In processes, because what people drop is hostile: a photo that crashes its decoder costs that photo, not the page.
"""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.data.decoding import Framing, Framings, decoders
from tagger.data.photo import BadPhoto
from tagger.pages.thumbnails import thumbnail

SIDE = 640
"""Longest side in pixels of the picture that the page shows."""


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """What the page needs of a photo, or the reason why it cannot have it."""

    photo_id: str = ""
    """The catalog's: the first 32 hex digits of the SHA-256 of the photo's bytes."""
    picture: bytes = b""
    """JPEG, at most ``SIDE`` pixels."""
    pixels: NDArray[np.uint8] | None = None
    """What the network sees, (size, size, 3)."""
    beside: NDArray[np.uint8] | None = None
    """What a detector sees, (height, width, 3); None without one."""
    error: str = ""


def read_photo(path: str, framings: Framings, *, max_bytes: int) -> ReadPhoto:
    """Read a photo.

    Example:
        >>> from tagger.data.framing import StillFraming
        >>> read_photo("nowhere.jpg", (StillFraming(size=64, fit="pad"), None), max_bytes=1_000_000).error
        'missing'
    """
    try:
        size = Path(path).stat().st_size
        if size > max_bytes:
            return ReadPhoto(error=f"{size / 1e6:,.1f} MB, more than the {max_bytes / 1e6:,.0f} MB allowed here")
        framing, beside = framings
        pixels = np.asarray(framing.framed(path))
        picture_beside = None if beside is None else np.asarray(beside.framed(path))
        picture = thumbnail(path, side=SIDE, quality=80)
        with Path(path).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except BadPhoto as error:
        return ReadPhoto(error=str(error).removeprefix(f"{path}: "))
    except FileNotFoundError:
        return ReadPhoto(error="missing")
    except (OSError, ValueError) as error:
        return ReadPhoto(error=f"cannot be read ({getattr(error, 'strerror', None) or error})")
    return ReadPhoto(sha256[:32], picture or b"", pixels, picture_beside)


class PhotoReader:
    """Processes that read photos; use it in a ``with`` block.

    Args:
        framing: How the network sees a photo.
        beside: How a detector sees it; None without one.
        max_bytes: Larger files are refused.
        workers: Processes.
    """

    def __init__(self, framing: Framing, *, max_bytes: int, workers: int = 2, beside: Framing | None = None) -> None:
        self.framings, self.max_bytes, self.workers = (framing, beside), max_bytes, workers
        self._turn = threading.Lock()
        self._pool = decoders(self.framings, workers)

    def __enter__(self) -> "PhotoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, paths: Sequence[str]) -> list[ReadPhoto]:
        """Read photos, in order."""
        with self._turn:
            try:
                futures = [
                    self._pool.submit(read_photo, path, self.framings, max_bytes=self.max_bytes) for path in paths
                ]
                return [future.result() for future in futures]
            except BrokenProcessPool:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = decoders(self.framings, self.workers)
                return [self._alone(path) for path in paths]

    def _alone(self, path: str) -> ReadPhoto:
        with decoders(self.framings, 1) as pool:
            try:
                return pool.submit(read_photo, path, self.framings, max_bytes=self.max_bytes).result()
            except BrokenProcessPool:
                return ReadPhoto(error="the process that decoded it died: a crash, or no memory")
