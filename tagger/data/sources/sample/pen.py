"""Drawing in the units of a motif: a pen knows where the motif stands, how large it is and how it leans."""

import cmath
import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int] | tuple[int, int, int, int]
Point = tuple[float, float]

CIRCLE = tuple((math.cos(angle), math.sin(angle)) for angle in (math.tau * step / 28 for step in range(28)))


class Pen:
    """Draws shapes given in local coordinates: the foot at (0, 0), right is +, down is +, the top near (0, -1)."""

    def __init__(
        self, image: Image.Image, *, at: Point = (0, 0), scale: float = 1, lean: float = 0, mirror: bool = False
    ):
        """``at`` and ``scale`` in shares of the image's side, ``lean`` in radians clockwise."""
        self.draw = ImageDraw.Draw(image, "RGBA")
        self.origin = complex(*at) * image.width
        self.turn = cmath.rect(scale * image.width, lean)
        self.mirror = -1 if mirror else 1

    def place(self, points: Sequence[Point]) -> list[Point]:
        """Return the pixels of local points."""
        spots = [self.origin + self.turn * complex(self.mirror * right, down) for right, down in points]
        return [(spot.real, spot.imag) for spot in spots]

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self.draw.polygon(self.place(points), fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def oval(self, right: float, down: float, width: float, height: float, colour: Colour, *, lean: float = 0) -> None:
        """An ellipse about a centre; ``width`` and ``height`` are its half axes."""
        cos, sin = math.cos(lean), math.sin(lean)
        ring = [(width * c, height * s) for c, s in CIRCLE]
        self.polygon([(right + u * cos - v * sin, down + u * sin + v * cos) for u, v in ring], colour)

    def stroke(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A round-ended line; at least one pixel wide."""
        pixels = max(1.0, width * abs(self.turn))
        placed = self.place(points)
        self.draw.line(placed, fill=colour, width=round(pixels), joint="curve")
        if pixels > 3 and len(colour) == 3:
            for across, down in (placed[0], placed[-1]):
                radius = pixels / 2 - 0.5
                self.draw.ellipse((across - radius, down - radius, across + radius, down + radius), fill=colour)


Motif = Callable[[Pen, np.random.Generator, tuple[str, ...]], None]
"""Draws something with a pen; told what a person wears."""


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour lighter (above 1) or darker (below 1).

    Example:
        >>> shade((100, 200, 50), 1.5)
        (150, 255, 75)
    """
    red, green, blue = (min(255, round(channel * factor)) for channel in colour[:3])
    return red, green, blue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour at ``share`` of the way from the first to the second.

    Example:
        >>> blend((0, 0, 0), (100, 200, 50), 0.5)
        (50, 100, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first[:3], second[:3], strict=True))
    return red, green, blue
