"""Backdrops outdoors, away from towns."""

import numpy as np
from PIL import Image

from tagger.data.sources.sample.nature import BARK, LEAF, conifer
from tagger.data.sources.sample.pen import Colour, Pen, blend, shade
from tagger.data.sources.sample.people import pick
from tagger.data.sources.sample.recipes import Light
from tagger.data.sources.sample.sky import grass, sky
from tagger.data.sources.sample.texture import gradient, mottle, ridge


def beach(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    horizon, shore = rng.uniform(0.38, 0.48), rng.uniform(0.64, 0.7)
    sky(image, rng, light, horizon)
    sea = pick(rng, ((30, 110, 160), (40, 150, 170), (60, 130, 150)))
    if light == "sunset":
        sea = blend(sea, (220, 120, 90), 0.45)
    gradient(image, (shade(sea, 0.8), sea, blend(sea, (190, 230, 220), 0.5)), (horizon, shore))
    mottle(image, rng, (236, 246, 250), cells=(7, 22), band=(horizon, shore), strength=0.6, cover=0.35)
    sand = pick(rng, ((230, 206, 160), (216, 184, 136), (240, 224, 190)))
    gradient(image, (shade(sand, 0.82), sand, shade(sand, 0.95)), (shore, 1))
    mottle(image, rng, shade(sand, 0.75), cells=(50, 24), band=(shore, 1), strength=0.35)
    pen, line = Pen(image), ridge(rng, shore, 0.03)
    pen.polygon([*line, (1, shore - 0.06), (0, shore - 0.06)], shade(sea, 1.15))
    pen.stroke(line, 0.014, (246, 250, 250))


def sea(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """Open water to the lower edge, no shore."""
    horizon, water = rng.uniform(0.45, 0.53), pick(rng, ((30, 90, 140), (50, 110, 130), (70, 110, 140)))
    sky(image, rng, light, horizon)
    gradient(image, (shade(water, 1.2), water, shade(water, 0.6)), (horizon, 1))
    mottle(image, rng, (230, 240, 246), cells=(9, 30), band=(horizon, 1), strength=0.4, cover=0.35)


def desert(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """Dunes to the horizon."""
    sky(image, rng, light, 0.6)
    pen, sand = Pen(image), pick(rng, ((222, 176, 112), (206, 150, 96), (232, 200, 150)))
    for level, tone in ((0.5, 0.8), (0.58, 0.95), (0.68, 0.85), (0.78, 1.05)):
        pen.polygon([*ridge(rng, level, 0.09, points=9), (1, 1), (0, 1)], shade(sand, tone))
    mottle(image, rng, shade(sand, 0.75), cells=(6, 40), band=(0.6, 1), strength=0.3)


def forest(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    """Among the trunks, or conifers row behind row."""
    if rng.random() < 0.4:
        _conifer_rows(image, rng, light)
        return
    leaf, bark = pick(rng, LEAF), pick(rng, BARK)
    glow: Colour = (250, 190, 110) if light == "sunset" else (214, 232, 170)
    gradient(image, (shade(leaf, 0.7), blend(leaf, glow, 0.75), leaf), (0, 0.72))
    pen = Pen(image)
    for distance in (0.75, 0.45, 0.1):
        tone = blend(bark, blend(leaf, glow, 0.6), distance)
        for _ in range(6 if distance > 0.2 else 4):
            across, wide = rng.random(), (1.15 - distance) * rng.uniform(0.018, 0.045)
            foot = 0.72 + 0.16 * (1 - distance)
            pen.polygon(
                [(across - wide, foot), (across + wide, foot), (across + wide * 0.7, 0), (across - wide * 0.6, 0)], tone
            )
            pen.polygon(
                [(across, foot), (across + wide, foot), (across + wide * 0.7, 0), (across, 0)], shade(tone, 0.75)
            )
        mottle(
            image,
            rng,
            shade(leaf, 1.2 - 0.5 * (1 - distance)),
            cells=(14, 12),
            band=(0, 0.42),
            strength=0.9,
            cover=0.45,
        )
        if distance == 0.75:
            grass(image, rng, (0.72, 1), blend(leaf, (90, 74, 44), 0.4))
    mottle(image, rng, (110, 84, 48), cells=(24, 10), band=(0.74, 1), strength=0.6, cover=0.4)


def _conifer_rows(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    sky(image, rng, light, 0.5)
    grass(image, rng, (0.5, 1), blend(pick(rng, LEAF), (80, 70, 50), 0.3))
    for foot, count, tall in ((0.56, 11, 0.36), (0.66, 9, 0.5), (0.76, 6, 0.66)):
        for across in np.linspace(-0.02, 1.02, count) + rng.normal(0, 0.025, count):
            conifer(Pen(image, at=(float(across), foot), scale=tall * rng.uniform(0.8, 1.15)), rng)


def mountain(image: Image.Image, rng: np.random.Generator, light: Light, *, snowy: bool = False) -> None:
    sky(image, rng, light, 0.6)
    pen, rock = Pen(image), pick(rng, ((110, 110, 124), (126, 112, 100), (92, 104, 120)))
    haze: Colour = (236, 160, 130) if light == "sunset" else (170, 196, 220)
    pen.polygon([*ridge(rng, 0.46, 0.1), (1, 1), (0, 1)], blend(rock, haze, 0.65))
    for _ in range(int(rng.integers(2, 4))):
        _peak(pen, rng, rock, white=0.75 if snowy else rng.uniform(0.0, 0.4))
    mottle(image, rng, shade(rock, 0.7), cells=(16, 16), band=(0.3, 0.66), strength=0.35, cover=0.45)
    if snowy:
        snow(image, rng, 0.64)
        return
    meadow = pick(rng, ((96, 130, 66), (130, 138, 80), (70, 104, 62)))
    pen.polygon([*ridge(rng, 0.63, 0.04), (1, 1), (0, 1)], shade(meadow, 0.7))
    grass(image, rng, (0.69, 1), meadow)
    if rng.random() < 0.3:
        gradient(image, ((120, 160, 184), (70, 110, 140)), (0.62, 0.72))
        mottle(image, rng, (210, 226, 236), cells=(5, 9), band=(0.62, 0.72), strength=0.5)


def _peak(pen: Pen, rng: np.random.Generator, rock: Colour, *, white: float) -> None:
    """A peak with a lit and a shaded flank; ``white`` is how far down its snow reaches."""
    across, top, wide = rng.uniform(0.05, 0.95), rng.uniform(0.12, 0.34), rng.uniform(0.3, 0.5)
    foot, kink = 0.72, rng.uniform(-0.05, 0.05)
    pen.polygon([(across, top), (across + wide, foot), (across - wide, foot)], shade(rock, 1.15))
    pen.polygon(
        [(across, top), (across + wide, foot), (across + kink * 2, foot), (across + kink, (top + foot) / 2)],
        shade(rock, 0.75),
    )
    reach = white * (foot - top)
    teeth = [(across + wide * white * (step / 3 - 1), top + reach * (1 if step % 2 else 0.78)) for step in range(7)]
    pen.polygon([(across, top), *reversed(teeth)], (244, 248, 252))
    pen.polygon([(across, top), teeth[-1], teeth[-2], teeth[-3]], (196, 210, 228))


def snow(image: Image.Image, rng: np.random.Generator, top: float) -> None:
    """Cover the ground below ``top``."""
    pen = Pen(image)
    for share in (0.0, 0.3, 0.6):
        level = top + share * (1 - top)
        pen.polygon([*ridge(rng, level, 0.05), (1, 1), (0, 1)], blend((206, 220, 238), (250, 252, 255), 0.3 + share))
    mottle(image, rng, (178, 198, 226), cells=(6, 10), band=(top + 0.05, 1), strength=0.4, cover=0.4)
    mottle(image, rng, (255, 255, 255), cells=(60, 40), band=(top + 0.05, 1), strength=0.5, cover=0.35)


def snowy_mountain(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    mountain(image, rng, light, snowy=True)


def snowfield(image: Image.Image, rng: np.random.Generator, light: Light) -> None:
    sky(image, rng, light, 0.6)
    snow(image, rng, rng.uniform(0.5, 0.6))
