"""From a photo to what a detector sees: upright RGB of its own shape, no side longer than a limit, float32 in 0..1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagger.data.framing import check
from tagger.data.photo import MAX_PIXELS, PhotoFile, decode, open_photo, upright_size

Picture = NDArray[np.float32]
"""(3, height, width), 0..1."""


@dataclass(frozen=True, kw_only=True)
class Undistorted:
    """A photo in its own shape, made smaller where a side is longer than ``long_side``, never larger.

    Args:
        long_side: In pixels; a photo takes at most ``long_side`` squared times 15 bytes.
        max_pixels: Photos that declare more are refused.

    Raises:
        ValueError: If a setting is outside its range.

    Example:
        >>> import io
        >>> photo = io.BytesIO()
        >>> Image.new("RGB", (640, 320), "white").save(photo, "JPEG")
        >>> Undistorted(long_side=160).framed(photo).size
        (160, 80)
    """

    long_side: int
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check(32 <= self.long_side <= 8192, "long_side", "in 32..8192", self.long_side)

    def framed(self, photo: PhotoFile) -> Image.Image:
        """Return a photo, wherever it is, as an RGB picture.

        Raises:
            BadPhoto: If it cannot be read.
        """
        with open_photo(photo, max_pixels=self.max_pixels) as opened:
            width, height = fitted(*upright_size(opened), long_side=self.long_side)
            picture = decode(opened, at_least=(width, height))
            if picture.size == (width, height):
                return picture
            return picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def fitted(width: int, height: int, *, long_side: int) -> tuple[int, int]:
    """Return the size of a picture that keeps its shape and has no side longer than a limit.

    Example:
        >>> fitted(4000, 3000, long_side=1024), fitted(640, 480, long_side=1024), fitted(9000, 1, long_side=1024)
        ((1024, 768), (640, 480), (1024, 1))
    """
    scale = min(1.0, long_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def as_input(pixels: NDArray[np.uint8]) -> Picture:
    """Return a picture (height, width, 3) as a detector takes it.

    Example:
        >>> as_input(np.full((2, 5, 3), 255, np.uint8)).shape
        (3, 2, 5)
    """
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
