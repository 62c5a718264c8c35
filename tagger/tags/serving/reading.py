"""Of a photo: its id, a small picture to show, and the pixels for the network; read in a process of its own.

In a process, because what people drop is hostile: a photo that crashes its decoder, or that takes for ever, costs that
photo. The process is asked through stdin and answers through stdout, see :mod:`tagger.tags.serving.workers`. It looks
for photos in folders too, since a disk may never answer. What it answers is JSON and bytes, and no pickle: nobody has
to trust a decoder that a photo has taken over.
"""

import hashlib
import io
import json
import pickle
import struct
import sys
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tagger.data.framing import StillFraming
from tagger.data.photo import BadPhoto
from tagger.errors import UserError
from tagger.pages.thumbnails import thumbnail
from tagger.tags.detector.picture import Undistorted
from tagger.tags.serving.folder import Root

SIDE = 640
"""Longest side in pixels of the picture that the page shows."""

SECONDS = 20
"""After which a photo or a folder is given up."""

MEMORY = 4 * 2**30
"""Most bytes that a process may have: a PNG of 256 megapixels without transparency takes half of them."""

LENGTHS = struct.Struct(">4Q")
"""How an answer begins: the bytes of its four parts (JSON, picture, pixels, pixels for the detector)."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """What the page needs of a photo, or the reason why it cannot have it."""

    photo_id: str = ""
    """The catalog's: the first 32 hex digits of the SHA-256 of the photo's bytes."""
    picture: bytes = b""
    """JPEG, at most ``SIDE`` pixels."""
    pixels: Pixels | None = None
    """What the network sees, (size, size, 3)."""
    beside: Pixels | None = None
    """What a detector sees, (height, width, 3); None without one."""
    error: str = ""


@dataclass(frozen=True)
class Reading:
    """How photos are read."""

    framing: StillFraming
    """How the network sees a photo."""
    beside: Undistorted | None
    """How a detector sees it; None without one."""
    max_bytes: int
    """Larger photos are refused."""
    root: Root | None = None
    """The folder that may be read; None if there is none."""

    def photo(self, photo: bytes | bytearray | str) -> ReadPhoto:
        """Read a photo: its bytes, or a path that :meth:`folder` gave.

        Example:
            >>> from tagger.data.framing import StillFraming
            >>> Reading(StillFraming(size=64, fit="pad"), None, max_bytes=1_000_000).photo(b"hello").error
            'not an image'
        """
        try:
            content = self._content(photo) if isinstance(photo, str) else photo
            if not content:
                return ReadPhoto(error="empty file")
            if len(content) > self.max_bytes:
                return ReadPhoto(error=f"more than the {self.max_bytes / 1e6:,g} MB allowed here")
            pixels = np.asarray(self.framing.framed(io.BytesIO(content)))
            beside = None if self.beside is None else np.asarray(self.beside.framed(io.BytesIO(content)))
            picture = thumbnail(io.BytesIO(content), side=SIDE, quality=80) or b""
        except BadPhoto as error:
            reason = NO_MEMORY if isinstance(error.__cause__, MemoryError) else str(error).removeprefix("photo: ")
            return ReadPhoto(error=reason)
        except MemoryError:
            return ReadPhoto(error=NO_MEMORY)
        except (OSError, ValueError) as error:
            return ReadPhoto(error=f"cannot be read ({getattr(error, 'strerror', None) or error})")
        return ReadPhoto(hashlib.sha256(content).hexdigest()[:32], picture, pixels, beside)

    def folder(self, name: str, limit: int) -> list[str]:
        """Return the paths of the photos in a folder below the root, see :meth:`Root.photos`."""
        if self.root is None:
            raise UserError("no folder may be opened here")
        return self.root.photos(name, limit=limit)

    def _content(self, path: str) -> bytes:
        assert self.root is not None
        with self.root.opened(path) as file:
            return file.read(self.max_bytes + 1)


NO_MEMORY = f"it takes more than {MEMORY // 2**30} GiB of memory"


def to_answer(read: ReadPhoto) -> list[bytes]:
    """Return the parts of the answer that a photo was read."""
    arrays = [read.pixels, read.beside]
    facts = {
        "photo_id": read.photo_id,
        "error": read.error,
        "shapes": [None if array is None else array.shape for array in arrays],
    }
    pixels = [b"" if array is None else array.tobytes() for array in arrays]
    return [json.dumps(facts).encode(), read.picture, *pixels]


def from_answer(parts: list[bytes]) -> ReadPhoto:
    """Return the photo that an answer tells of."""
    facts = json.loads(parts[0])
    pixels, beside = (
        None if shape is None else np.frombuffer(part, np.uint8).reshape(shape)
        for shape, part in zip(facts["shapes"], parts[2:], strict=True)
    )
    return ReadPhoto(facts["photo_id"], parts[1], pixels, beside, facts["error"])


def main() -> None:
    """Read what is asked for, until nobody asks any more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    restrict()
    reading: Reading = pickle.load(questions)
    while question := ask(questions):
        expire(SECONDS)
        parts = answer(reading, *question)
        expire(0)
        answers.write(LENGTHS.pack(*map(len, parts)) + b"".join(parts))
        answers.flush()


def ask(questions: BinaryIO) -> tuple[str, tuple] | None:
    """Return what is asked for, None at the end."""
    try:
        question: tuple[str, tuple] = pickle.load(questions)
    except EOFError:
        return None
    return question


def answer(reading: Reading, what: str, settings: tuple) -> list[bytes]:
    """Return the parts of an answer."""
    if what == "photo":
        return to_answer(reading.photo(*settings))
    facts: dict[str, list[str] | str]
    try:
        facts = {"photos": reading.folder(*settings)}
    except UserError as error:
        facts = {"error": str(error)}
    except OSError as error:
        facts = {"error": f"the folder cannot be read: {error.strerror}"}
    return [json.dumps(facts).encode(), b"", b"", b""]


if sys.platform == "win32":

    def restrict() -> None:
        """Do nothing: there are no such limits."""

    def expire(seconds: int) -> None:
        """Do nothing: the server ends this process, unless it is gone."""

else:
    import ctypes
    import resource
    import signal

    DIE_WITH_PARENT = 1
    """Linux's PR_SET_PDEATHSIG."""

    def restrict() -> None:
        """Bound the memory of this process, let it write no file, and end it with the server, however that ends."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        for limit, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
            resource.setrlimit(limit, (most, most))

    def expire(seconds: int) -> None:
        """End this process after so many seconds, whatever it is in; 0: not any more."""
        signal.alarm(seconds)
