"""From a photo to what the network sees, decoding no more of it than that takes.

torchvision's ``RandomResizedCrop`` is handed pixels, so a 12-megapixel JPEG is decoded whole before most of it is
thrown away. Here the crop is drawn first, from the size in the header and by torchvision's own draw; then the JPEG is
decoded at the smallest scale at which the crop is still as large as the target; then crop and resize are one step.
The draws (crop, flip, colours) come in torchvision's order from torch's generator: the same seed gives the same crop.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from tagger.data.photo import MAX_PIXELS, PhotoFile, decode, open_photo, upright_size

Fit = Literal["squash", "crop", "pad"]
_HALF = (0.5, 0.5, 0.5)


class Box(NamedTuple):
    """A part of a photo, in pixels of the upright picture."""

    left: float
    top: float
    width: float
    height: float


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch draw from this seed on the CPU, then go on as if nothing had been drawn.

    With it, augmentation is a function of the seed alone: the same in every worker, in any order, after a resume.
    (``torch.manual_seed`` would also restart the GPU's generators, and with them the dropout of a running model.)

    Args:
        seed: 0 up to 2^63.

    Example:
        >>> with seeded(7):
        ...     first = torch.rand(2)
        >>> with seeded(7):
        ...     print(bool((torch.rand(2) == first).all()))
        True
    """
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(state)


@dataclass(frozen=True, kw_only=True)
class Transform:
    """What all ways from a photo to a tensor share; the settings are plain values, see :meth:`recipe`.

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
        _check(self.size >= 1, "size", "at least 1", self.size)
        _check(len(self.mean) == 3, "mean", "three numbers", self.mean)
        _check(len(self.std) == 3 and min(self.std) > 0, "std", "three numbers above 0", self.std)
        _check(
            self.interpolation in ("bicubic", "bilinear"), "interpolation", "bicubic or bilinear", self.interpolation
        )

    def recipe(self) -> dict[str, Any]:
        """Return the settings as plain values, from which ``type(self)(**recipe)`` makes the same transform."""
        return asdict(self)

    def __call__(self, photo: PhotoFile) -> Tensor:
        """Return the photo as float32 (3, size, size), normalised.

        Raises:
            BadPhoto: If it cannot be read.
        """
        with open_photo(photo, max_pixels=self.max_pixels) as opened:
            return self.to_tensor(self.picture(opened))

    def picture(self, photo: Image.Image) -> Image.Image:
        """Return an opened photo as an RGB picture of (size, size)."""
        raise NotImplementedError

    def to_tensor(self, picture: Image.Image) -> Tensor:
        """Return an RGB picture as float32 (3, height, width), normalised."""
        pixels = v2.functional.to_dtype(v2.functional.pil_to_tensor(picture), torch.float32, scale=True)
        return v2.functional.normalize(pixels, list(self.mean), list(self.std), inplace=True)

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
class TrainTransform(Transform):
    """A random part of a photo, randomly mirrored and coloured: ``v2.RandomResizedCrop``, flip and ``v2.ColorJitter``.

    Args:
        scale: Least and greatest share of the photo's area that the crop has.
        ratio: Least and greatest width / height of the crop.
        flip: Probability of mirroring, left to right.
        jitter: How far brightness, contrast and saturation vary around 1; 0 leaves colours alone.

    Example:
        >>> import io
        >>> photo = io.BytesIO()
        >>> Image.new("RGB", (640, 480), "white").save(photo, "JPEG")
        >>> with seeded(0):
        ...     pixels = TrainTransform(size=32)(photo)
        >>> pixels.shape, pixels.mean()
        (torch.Size([3, 32, 32]), tensor(1.))
    """

    scale: tuple[float, float] = (0.25, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(0 < self.scale[0] <= self.scale[1] <= 1, "scale", "rising, in (0, 1]", self.scale)
        _check(0 < self.ratio[0] <= self.ratio[1], "ratio", "rising and above 0", self.ratio)
        _check(0 <= self.flip <= 1, "flip", "in [0, 1]", self.flip)
        _check(0 <= self.jitter <= 1, "jitter", "in [0, 1]", self.jitter)

    def picture(self, photo: Image.Image) -> Image.Image:
        picture = self.resized(photo, self.draw(*upright_size(photo)), width=self.size, height=self.size)
        picture = v2.RandomHorizontalFlip(self.flip)(picture)
        return v2.ColorJitter(self.jitter, self.jitter, self.jitter)(picture) if self.jitter else picture

    def draw(self, width: int, height: int) -> Box:
        """Draw the part of a photo of this size that is shown."""
        crop = v2.RandomResizedCrop(self.size, scale=self.scale, ratio=self.ratio)
        # The draw only looks at the shape, so one number stands for all pixels.
        found = crop.make_params([torch.empty(1).expand(1, height, width)])
        return Box(found["left"], found["top"], found["width"], found["height"])


@dataclass(frozen=True, kw_only=True)
class EvalTransform(Transform):
    """A photo made square, always in the same way.

    Args:
        fit: ``squash`` shows all of it, distorted; ``crop`` the central square; ``pad`` all of it, undistorted, between
            bars of the mean colour, which normalisation turns into 0.

    Example:
        >>> import io
        >>> photo = io.BytesIO()
        >>> Image.new("RGB", (640, 320), "white").save(photo, "JPEG")
        >>> EvalTransform(size=8, fit="pad")(photo)[0, :, 0].round()
        tensor([0., 0., 1., 1., 1., 1., 0., 0.])
    """

    fit: Fit = "squash"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.fit in ("squash", "crop", "pad"), "fit", "squash, crop or pad", self.fit)

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


def _check(holds: bool, name: str, expected: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
