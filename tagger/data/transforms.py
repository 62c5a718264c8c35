"""From a photo to what the network sees, decoding no more of it than that takes.

torchvision's ``RandomResizedCrop`` is handed pixels, so a 12-megapixel JPEG is decoded whole before most of it is
thrown away. Here the crop is drawn first, from the size in the header and by torchvision's own draw; then the JPEG is
decoded at the smallest scale at which the crop is still as large as the target; then crop and resize are one step.
The draws (crop, flip, colours) come in torchvision's order from torch's generator: the same seed gives the same crop.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from tagger.data.framing import Box, Framing, StillFraming, check
from tagger.data.photo import PhotoFile, open_photo, upright_size


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
class Transform(Framing):
    """What all ways from a photo to a tensor share: a framing, then normalisation by ``mean`` and ``std``."""

    def __call__(self, photo: PhotoFile) -> Tensor:
        """Return the photo as float32 (3, size, size), normalised.

        Raises:
            BadPhoto: If it cannot be read.
        """
        with open_photo(photo, max_pixels=self.max_pixels) as opened:
            return self.to_tensor(self.picture(opened))

    def to_tensor(self, picture: Image.Image) -> Tensor:
        """Return an RGB picture as float32 (3, height, width), normalised."""
        pixels = v2.functional.to_dtype(v2.functional.pil_to_tensor(picture), torch.float32, scale=True)
        return v2.functional.normalize(pixels, list(self.mean), list(self.std), inplace=True)


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
        check(0 < self.scale[0] <= self.scale[1] <= 1, "scale", "rising, in (0, 1]", self.scale)
        check(0 < self.ratio[0] <= self.ratio[1], "ratio", "rising and above 0", self.ratio)
        check(0 <= self.flip <= 1, "flip", "in [0, 1]", self.flip)
        check(0 <= self.jitter <= 1, "jitter", "in [0, 1]", self.jitter)

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
class EvalTransform(StillFraming, Transform):
    """A photo made square, always in the same way.

    Example:
        >>> import io
        >>> photo = io.BytesIO()
        >>> Image.new("RGB", (640, 320), "white").save(photo, "JPEG")
        >>> EvalTransform(size=8, fit="pad")(photo)[0, :, 0].round()
        tensor([0., 0., 1., 1., 1., 1., 0., 0.])
    """
