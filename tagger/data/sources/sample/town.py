"""Backdrops outdoors, made by people."""

import numpy as np
from PIL import Image

from tagger.data.sources.sample.pen import Colour, Pen, blend, shade
from tagger.data.sources.sample.people import pick
from tagger.data.sources.sample.recipes import Light
from tagger.data.sources.sample.sky import grass, sky
from tagger.data.sources.sample.texture import gradient, mottle, ridge


def city(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    sky(image, rng, light, 0.7)
    pen, left = Pen(image), -0.05
    haze: Colour = {"day": (186, 200, 214), "sunset": (220, 140, 110), "night": (30, 34, 60)}[light]
    for _ in range(9):
        across = rng.random()
        pen.box(
            across, rng.uniform(0.25, 0.5), across + rng.uniform(0.08, 0.16), 0.8, shade(haze, rng.uniform(0.85, 1.1))
        )
    while left < 1:
        wide = rng.uniform(0.16, 0.32)
        _building(pen, rng, (left, left + wide), rng.uniform(0.08, 0.46), light)
        left += wide + rng.uniform(0, 0.05)
    pen.box(0, 0.73, 1, 0.8, (150, 148, 144) if light != "night" else (70, 70, 80))
    road: Colour = (84, 86, 92) if light != "night" else (36, 38, 48)
    gradient(image, (shade(road, 1.15), road), (0.79, 1))
    mottle(image, rng, shade(road, 0.7), cells=(50, 16), band=(0.79, 1), strength=0.4)
    for across in np.arange(0.02, 1, 0.24).tolist():
        pen.polygon(
            [(across, 0.89), (across + 0.12, 0.89), (across + 0.11, 0.905), (across - 0.02, 0.905)], (226, 224, 210)
        )
    if light == "night":
        _street_lamps(pen, rng)


def _building(pen: Pen, rng: np.random.Generator, span: tuple[float, float], top: float, light: Light) -> None:
    left, right = span
    wall = pick(rng, ((176, 150, 130), (130, 140, 156), (200, 190, 176), (150, 96, 80), (96, 110, 130)))
    wall = shade(wall, {"day": 1.0, "sunset": 0.8, "night": 0.28}[light])
    pen.box(left, top, right, 0.76, wall)
    pen.box(right - 0.03, top, right, 0.76, shade(wall, 0.75))
    columns, rows = max(2, round((right - left) / 0.055)), max(3, round((0.72 - top) / 0.065))
    pitch, storey = (right - left) / columns, (0.74 - top) / rows
    lit = {"day": 0.0, "sunset": 0.25, "night": 0.55}[light]
    for column in range(columns):
        for row in range(rows):
            glass: Colour = (255, 220, 130) if rng.random() < lit else shade(blend(wall, (90, 120, 150), 0.6), 0.8)
            across, down = left + (column + 0.22) * pitch, top + (row + 0.3) * storey
            pen.box(across, down, across + 0.56 * pitch, down + 0.55 * storey, glass)


def _street_lamps(pen: Pen, rng: np.random.Generator) -> None:
    for across in rng.uniform(0, 1, 3).tolist():
        pen.stroke([(across, 0.8), (across, 0.5)], 0.01, (30, 30, 36))
        for radius, alpha in ((0.11, 40), (0.06, 80), (0.022, 255)):
            pen.oval(across, 0.49, radius, radius, (255, 220, 150, alpha))


def park(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """Mown grass, a path, a bench."""
    horizon = rng.uniform(0.5, 0.58)
    sky(image, rng, light, horizon)
    pen, green = Pen(image), pick(rng, ((98, 158, 70), (120, 170, 76), (82, 140, 66)))
    pen.polygon([*ridge(rng, horizon, 0.04), (1, 1), (0, 1)], blend(green, (130, 160, 150), 0.5))
    grass(image, rng, (horizon + 0.04, 1), green)
    start, bend = rng.uniform(0.1, 0.9), rng.uniform(-0.3, 0.3)
    edge = [
        (start + bend * t * (1 - t) * 3, horizon + 0.04 + t * (0.96 - horizon)) for t in np.linspace(0, 1, 8).tolist()
    ]
    wide = [0.01 + 0.012 * step**1.4 for step in range(8)]
    near = [(across + extra, down) for (across, down), extra in zip(edge, wide, strict=True)]
    pen.polygon(
        [(2 * across - right, down) for (across, down), (right, _) in zip(edge, near, strict=True)] + near[::-1],
        (206, 190, 160),
    )
    if rng.random() < 0.5:
        bench = Pen(image, at=(rng.uniform(0.15, 0.85), horizon + 0.14), scale=0.16)
        for down in (-0.5, -0.38, -0.2):
            bench.stroke([(-0.5, down), (0.5, down)], 0.08, (126, 84, 52))
        for side in (-0.4, 0.4):
            bench.stroke([(side, -0.5), (side, 0)], 0.05, (50, 50, 54))
