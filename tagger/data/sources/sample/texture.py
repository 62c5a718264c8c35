"""Surfaces: gradients, mottled ground, clouds, wood. Everything random comes from the generator that is passed in."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tagger.data.sources.sample.pen import Colour, Point

Band = tuple[float, float]
"""Top and bottom of a horizontal band, in shares of the image's height."""


def gradient(image: Image.Image, colours: Sequence[Colour], band: Band = (0, 1)) -> None:
    """Fill a band with colours that run into each other from top to bottom."""
    top, bottom = _rows(image, band)
    strip = Image.fromarray(np.array(colours, dtype=np.uint8)[:, None, :3])
    image.paste(
        strip.resize((1, bottom - top), Image.Resampling.BILINEAR).resize((image.width, bottom - top)), (0, top)
    )


def noise(rng: np.random.Generator, cells: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """Return smooth grey noise with so many cells across and down."""
    across, down = cells
    grey = Image.fromarray(rng.integers(0, 256, (down, across), dtype=np.uint8))
    return grey.resize(size, Image.Resampling.BICUBIC)


def mottle(
    image: Image.Image,
    rng: np.random.Generator,
    colour: Colour,
    *,
    cells: tuple[int, int],
    band: Band = (0, 1),
    strength: float = 0.5,
    cover: float = 0.5,
) -> None:
    """Paint patches of a colour over a band.

    Args:
        image: Painted on.
        rng: Where the patches are.
        colour: Of the patches.
        cells: Patches across and down; few across and many down make waves or boards.
        band: The painted part.
        strength: Opacity in [0, 1] where a patch is thickest.
        cover: Share of the band, in [0, 1], that the patches cover, roughly.
    """
    top, bottom = _rows(image, band)
    ramp = [max(0.0, min(1.0, 2 * (level / 255 - 1 + cover))) * 255 * strength for level in range(256)]
    mask = noise(rng, cells, (image.width, bottom - top)).point(ramp)
    image.paste(tuple(colour[:3]), (0, top, image.width, bottom), mask)


def ridge(rng: np.random.Generator, height: float, roughness: float, *, points: int = 33) -> list[Point]:
    """Return a skyline from left to right around ``height``, by midpoint displacement."""
    line = rng.uniform(-1, 1, 2) * roughness
    while len(line) < points:
        roughness *= 0.55
        middles = (line[1:] + line[:-1]) / 2 + rng.uniform(-1, 1, len(line) - 1) * roughness
        line = np.insert(line, np.arange(1, len(line)), middles)
    return [(across, height + float(offset)) for across, offset in zip(np.linspace(0, 1, len(line)), line, strict=True)]


def _rows(image: Image.Image, band: Band) -> tuple[int, int]:
    top, bottom = (max(0, min(image.height, round(edge * image.height))) for edge in band)
    return top, max(bottom, top + 1)
