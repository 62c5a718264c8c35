"""From a photo to the square picture that the network sees, with Pillow alone.

Training and the bundle's runtime share this code, so that both see the same pixels; the runtime has no torch.
Of a JPEG no more is decoded than the square takes: see :func:`tagger.data.photo.decode`.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple

from PIL import Image

from tagger.data.photo import MAX_PIXELS, PhotoFile, decode, open_photo, upright_size

Fit = Literal["squash", "crop", "pad"]
_HALF = (0.5, 0.5, 0.5)


class Box(NamedTuple):
    """A part of a photo, in pixels of the upright picture."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Framing:
    """What all ways from a photo to a square picture share; the settings are plain values, see :meth:`recipe`.

    Args:
        size: Side in pixels of the square that the network sees.
        mean: Per channel, in 0..1, subtracted.
        std: Per channel, in 0..1, divided by.
        interpolation: ``bicubic`` or ``bilinear``, both antialiased.
        max_pixels: Photos that declare more are refused.

    Raises:
        ValueError: If a setting is outside its range.
    """

    size: int
    mean: tuple[float, ...] = _HALF
    std: tuple[float, ...] = _HALF
    interpolation: str = "bicubic"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        # Lists come from YAML, JSON and checkpoints.
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        check(self.size >= 1, "size", "at least 1", self.size)
        check(len(self.mean) == 3, "mean", "three numbers", self.mean)
        check(len(self.std) == 3 and min(self.std) > 0, "std", "three numbers above 0", self.std)
        check(self.interpolation in ("bicubic", "bilinear"), "interpolation", "bicubic or bilinear", self.interpolation)

    def recipe(self) -> dict[str, Any]:
        """Return the settings as plain values, from which ``type(self)(**recipe)`` makes the same transform."""
        return asdict(self)

    def framed(self, photo: PhotoFile) -> Image.Image:
        """Return a photo, wherever it is, as an RGB picture of (size, size).

        Raises:
            BadPhoto: If it cannot be read.
        """
        with open_photo(photo, max_pixels=self.max_pixels) as opened:
            return self.picture(opened)

    def picture(self, photo: Image.Image) -> Image.Image:
        """Return an opened photo as an RGB picture of (size, size)."""
        raise NotImplementedError

    def resized(self, photo: Image.Image, box: Box, *, width: int, height: int) -> Image.Image:
        """Return a part of a photo at a size, decoded at the smallest scale that has that many pixels."""
        full_width, full_height = upright_size(photo)
        at_least = math.ceil(full_width * width / box.width), math.ceil(full_height * height / box.height)
        picture = decode(photo, at_least=at_least)
        across, down = picture.width / full_width, picture.height / full_height
        right = min((box.left + box.width) * across, picture.width)
        bottom = min((box.top + box.height) * down, picture.height)
        # A gap of 3 looks the same as reading every pixel of a huge picture, says Pillow's documentation.
        return picture.resize(
            (width, height),
            Image.Resampling[self.interpolation.upper()],
            box=(box.left * across, box.top * down, right, bottom),
            reducing_gap=3.0,
        )


@dataclass(frozen=True, kw_only=True)
class StillFraming(Framing):
    """A photo made square, always in the same way.

    Args:
        fit: ``squash`` shows all of it, distorted; ``crop`` the central square; ``pad`` all of it, undistorted, between
            bars of the mean colour, which normalisation turns into 0.

    Example:
        >>> import io
        >>> photo = io.BytesIO()
        >>> Image.new("RGB", (640, 320), "white").save(photo, "JPEG")
        >>> picture = StillFraming(size=8, fit="pad").framed(photo)
        >>> [picture.getpixel((0, row))[0] for row in range(8)]
        [128, 128, 255, 255, 255, 255, 128, 128]
    """

    fit: Fit = "squash"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.fit in ("squash", "crop", "pad"), "fit", "squash, crop or pad", self.fit)

    def picture(self, photo: Image.Image) -> Image.Image:
        width, height = upright_size(photo)
        if self.fit == "pad":
            return self._padded(photo, width, height)
        box = Box(0, 0, width, height) if self.fit == "squash" else central_square(width, height)
        return self.resized(photo, box, width=self.size, height=self.size)

    def _padded(self, photo: Image.Image, width: int, height: int) -> Image.Image:
        long = max(width, height)
        inner = max(1, round(self.size * width / long)), max(1, round(self.size * height / long))
        picture = self.resized(photo, Box(0, 0, width, height), width=inner[0], height=inner[1])
        red, green, blue = (round(255 * channel) for channel in self.mean)
        square = Image.new("RGB", (self.size, self.size), (red, green, blue))
        square.paste(picture, ((self.size - inner[0]) // 2, (self.size - inner[1]) // 2))
        return square


def central_square(width: int, height: int) -> Box:
    """Return the largest square in the middle of a photo.

    Example:
        >>> central_square(640, 480)
        Box(left=80.0, top=0.0, width=480, height=480)
    """
    side = min(width, height)
    return Box((width - side) / 2, (height - side) / 2, side, side)


def check(holds: bool, name: str, expected: str, value: object) -> None:
    """Raise a ValueError that names a setting, unless what is expected of it holds."""
    if not holds:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
