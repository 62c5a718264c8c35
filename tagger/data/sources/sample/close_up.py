"""Backdrops that show no place: a table, a studio, green out of focus, water."""

import numpy as np
from PIL import Image, ImageFilter

from tagger.data.sources.sample.nature import LEAF
from tagger.data.sources.sample.pen import Pen, shade
from tagger.data.sources.sample.people import CLOTHES, pick
from tagger.data.sources.sample.recipes import Light
from tagger.data.sources.sample.texture import gradient, mottle, ridge


def tabletop(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """A table seen from above, wooden or under a checked cloth."""
    if rng.random() < 0.7:
        wood = pick(rng, ((166, 116, 72), (206, 170, 124), (110, 76, 52), (222, 214, 204)))
        gradient(image, (shade(wood, 0.9), wood, shade(wood, 1.08)))
        mottle(image, rng, shade(wood, 0.7), cells=(4, 60), strength=0.45)
        for down in np.arange(rng.uniform(0, 0.2), 1, 0.24).tolist():
            Pen(image).box(0, down, 1, down + 0.008, shade(wood, 0.55))
        return
    cloth = pick(rng, CLOTHES)
    gradient(image, ((250, 248, 244), (240, 238, 232)))
    pen = Pen(image)
    for line in np.arange(0, 1, 0.16).tolist():
        pen.box(line, 0, line + 0.08, 1, (*cloth[:3], 110))
        pen.box(0, line, 1, line + 0.08, (*cloth[:3], 110))


def studio(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """A plain backdrop, softly lit."""
    paper = pick(rng, ((150, 160, 172), (196, 186, 170), (120, 136, 126), (206, 200, 206), (90, 96, 110)))
    gradient(image, (shade(paper, 0.8), shade(paper, 1.15), shade(paper, 0.7)))
    mottle(image, rng, shade(paper, 1.25), cells=(3, 3), strength=0.5)


def macro(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """Green far out of focus."""
    leaf = pick(rng, LEAF)
    gradient(image, (shade(leaf, 1.2), leaf, shade(leaf, 0.5)))
    pen = Pen(image)
    for across, down in rng.random((16, 2)).tolist():
        radius = rng.uniform(0.04, 0.12)
        pen.oval(across, down, radius, radius, (*shade(leaf, rng.uniform(1.2, 2.0))[:3], 70))
    image.paste(image.filter(ImageFilter.BoxBlur(image.width / 60)))


def underwater(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    water = pick(rng, ((40, 140, 190), (20, 110, 160), (50, 160, 170)))
    gradient(image, (shade(water, 1.5), water, shade(water, 0.5)))
    mottle(image, rng, (220, 244, 250), cells=(9, 3), band=(0, 0.5), strength=0.35, cover=0.4)
    pen = Pen(image)
    pen.polygon([*ridge(rng, 0.88, 0.05), (1, 1), (0, 1)], (196, 184, 140))
    for _ in range(int(rng.integers(3, 6))):
        pen.oval(
            rng.random(),
            0.92,
            rng.uniform(0.06, 0.14),
            rng.uniform(0.05, 0.1),
            pick(rng, ((180, 90, 100), (110, 96, 110), (200, 130, 80))),
        )
    for across, down in rng.random((12, 2)).tolist():
        radius = rng.uniform(0.006, 0.018)
        pen.oval(across, down * 0.8, radius, radius, (230, 246, 252, 130))
