"""Photos made small for a page, in processes of their own, in order."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.data.decoding import framed
from tagger.data.photo import PhotoFile, decode, open_photo


@dataclass(frozen=True)
class Picture:
    """How a photo becomes the bytes of a small one: a WebP, which is a third smaller than a JPEG of the same look."""

    side: int
    """Its longest side in pixels; smaller photos stay as they are."""
    quality: int = 70

    def framed(self, photo: PhotoFile) -> NDArray[np.uint8]:
        """Return the bytes, (bytes,); upright, and without what else the file says, such as where it was taken.

        Raises:
            BadPhoto: If the photo cannot be read.
        """
        with open_photo(photo) as opened:
            # Twice the size: the last step then resizes smoothly.
            large = 2 * self.side
            small = decode(opened, at_least=(min(large, opened.width), min(large, opened.height)))
        small.thumbnail((self.side, self.side))
        file = io.BytesIO()
        # Method 2 of 6: the higher ones take twice the time for some per cent.
        small.save(file, "WEBP", quality=self.quality, method=2)
        return np.frombuffer(file.getvalue(), np.uint8)


def pictures(photos: Iterable[str], *, side: int, workers: int) -> Iterator[bytes | None]:
    """Yield every photo made small, None for one that cannot be read (any more)."""
    for made in framed(photos, Picture(side), workers=workers, ahead=4 * workers):
        yield None if made.pixels is None else made.pixels.tobytes()
