"""Backdrops indoors."""

import numpy as np
from PIL import Image

from tagger.data.sources.sample.pen import Pen, shade
from tagger.data.sources.sample.people import CLOTHES, pick
from tagger.data.sources.sample.recipes import Light
from tagger.data.sources.sample.texture import gradient, mottle


def home(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    wall = pick(rng, ((226, 214, 196), (190, 204, 206), (216, 196, 186), (236, 232, 224), (180, 190, 164)))
    floor = pick(rng, ((164, 116, 76), (196, 160, 120), (120, 90, 70), (186, 180, 172)))
    gradient(image, (shade(wall, 0.92), wall), (0, 0.66))
    if rng.random() < 0.35:
        mottle(image, rng, shade(wall, 0.85), cells=(24, 1), band=(0, 0.66), strength=0.6)
    gradient(image, (shade(floor, 0.8), shade(floor, 1.1)), (0.66, 1))
    mottle(image, rng, shade(floor, 0.7), cells=(8, 20), band=(0.66, 1), strength=0.5, cover=0.45)
    pen = Pen(image)
    pen.box(0, 0.645, 1, 0.67, shade(wall, 1.15))
    sides = rng.permutation([0.2, 0.5, 0.8]) + rng.uniform(-0.05, 0.05, 3)
    _window(pen, float(sides[0]), rng)
    if rng.random() < 0.6:
        _picture(pen, float(sides[1]), rng)
    if rng.random() < 0.65:
        _sofa(pen, float(sides[2]), rng)
    if rng.random() < 0.5:
        pen.oval(rng.uniform(0.3, 0.7), 0.86, 0.34, 0.08, shade(pick(rng, CLOTHES), 0.9))


def _window(pen: Pen, across: float, rng: np.random.Generator) -> None:
    pen.box(across - 0.13, 0.1, across + 0.13, 0.44, (246, 246, 244))
    pen.box(
        across - 0.115, 0.115, across + 0.115, 0.425, pick(rng, ((196, 222, 240), (226, 236, 240), (160, 200, 230)))
    )
    pen.box(across - 0.008, 0.1, across + 0.008, 0.44, (246, 246, 244))
    pen.box(across - 0.13, 0.26, across + 0.13, 0.275, (246, 246, 244))
    curtain = pick(rng, CLOTHES)
    for side in (-1, 1):
        pen.polygon(
            [
                (across + side * 0.08, 0.06),
                (across + side * 0.18, 0.06),
                (across + side * 0.18, 0.52),
                (across + side * 0.14, 0.52),
            ],
            curtain,
        )


def _picture(pen: Pen, across: float, rng: np.random.Generator) -> None:
    pen.box(across - 0.1, 0.14, across + 0.1, 0.34, (70, 52, 40))
    pen.box(across - 0.085, 0.155, across + 0.085, 0.325, pick(rng, CLOTHES))
    pen.oval(across, 0.25, 0.05, 0.04, pick(rng, CLOTHES))


def _sofa(pen: Pen, across: float, rng: np.random.Generator) -> None:
    cloth = pick(rng, ((150, 60, 56), (70, 90, 120), (160, 150, 136), (90, 110, 84), (196, 170, 120)))
    pen.box(across - 0.26, 0.5, across + 0.26, 0.7, shade(cloth, 0.85))
    pen.box(across - 0.24, 0.64, across + 0.24, 0.76, cloth)
    for side in (-1, 1):
        pen.box(across + side * 0.27 - 0.04, 0.57, across + side * 0.27 + 0.04, 0.79, shade(cloth, 0.95))
        pen.box(across + side * 0.12 - 0.07, 0.55, across + side * 0.12 + 0.07, 0.65, pick(rng, CLOTHES))


def office(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """Ceiling lamps, shelves of folders, a desk with a monitor."""
    gradient(image, ((206, 210, 214), (226, 228, 230)), (0, 0.7))
    gradient(image, ((110, 116, 126), (140, 146, 154)), (0.7, 1))
    pen = Pen(image)
    pen.polygon([(0, 0), (1, 0), (0.85, 0.12), (0.15, 0.12)], (236, 238, 240))
    for across in (0.3, 0.62):
        pen.polygon(
            [(across, 0.03), (across + 0.16, 0.03), (across + 0.13, 0.08), (across + 0.02, 0.08)], (255, 255, 255)
        )
    for shelf in (0.3, 0.44, 0.58):
        pen.box(0.6, shelf, 0.98, shelf + 0.016, (150, 130, 110))
        for across in np.arange(0.61, 0.96, 0.032).tolist():
            pen.box(across, shelf - rng.uniform(0.08, 0.11), across + 0.026, shelf, pick(rng, CLOTHES))
    for slat in np.arange(0.18, 0.5, 0.03).tolist():
        pen.box(0.05, slat, 0.36, slat + 0.018, (244, 246, 248))
    wood = pick(rng, ((190, 150, 106), (226, 226, 224), (120, 84, 60)))
    for screen in rng.permutation([0.16, 0.42, 0.7])[: rng.integers(1, 3)].tolist():
        pen.box(screen, 0.44, screen + 0.25, 0.61, (30, 32, 36))
        pen.box(
            screen + 0.012, 0.452, screen + 0.238, 0.595, pick(rng, ((70, 120, 180), (230, 236, 242), (40, 60, 80)))
        )
        pen.box(screen + 0.11, 0.61, screen + 0.14, 0.66, (60, 62, 66))
    pen.box(0.02, 0.655, 0.98, 0.7, wood)
    for leg in (0.04, 0.92):
        pen.box(leg, 0.7, leg + 0.03, 0.95, shade(wood, 0.7))
