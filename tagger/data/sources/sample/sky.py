"""What is above and below outdoors: sky in three lights, grass."""

import numpy as np
from PIL import Image

from tagger.data.sources.sample.nature import LEAF
from tagger.data.sources.sample.pen import Colour, Pen, shade
from tagger.data.sources.sample.people import pick
from tagger.data.sources.sample.recipes import Light
from tagger.data.sources.sample.texture import Band, gradient, mottle

SKIES: dict[Light, tuple[tuple[Colour, ...], ...]] = {
    "day": (((74, 134, 208), (186, 216, 240)), ((150, 170, 190), (220, 226, 230)), ((48, 112, 196), (160, 206, 238))),
    "sunset": (((70, 60, 120), (220, 110, 90), (255, 190, 90)), ((120, 70, 110), (246, 130, 70), (255, 214, 120))),
    "night": (((8, 12, 34), (30, 36, 70)), ((4, 6, 18), (46, 40, 64))),
}


def sky(image: Image.Image, rng: np.random.Generator, light: Light, horizon: float) -> None:
    """Fill everything above the horizon, with clouds, a low sun, or a moon and stars."""
    choices = SKIES[light]
    gradient(image, choices[rng.integers(len(choices))], (0, horizon + 0.02))
    pen = Pen(image)
    if light == "night":
        for across, down in rng.random((18, 2)).tolist():
            pen.oval(across, down * horizon, 0.003, 0.003, (220, 224, 240))
        if rng.random() < 0.5:
            pen.oval(rng.uniform(0.1, 0.9), rng.uniform(0.06, 0.2), 0.04, 0.04, (244, 240, 220))
        return
    cloud: Colour = (255, 255, 255) if light == "day" else (255, 176, 130)
    mottle(image, rng, cloud, cells=(4, 7), band=(0, horizon), strength=0.85, cover=rng.uniform(0.2, 0.6))
    if light == "sunset":
        across, down = rng.uniform(0.15, 0.85), horizon - rng.uniform(0.0, 0.14)
        for radius, alpha in ((0.3, 34), (0.2, 50), (0.12, 80)):
            pen.oval(across, down, radius, radius, (255, 220, 130, alpha))
        pen.oval(across, down, 0.06, 0.06, (255, 246, 206))


def grass(image: Image.Image, rng: np.random.Generator, band: Band, colour: Colour | None = None) -> None:
    colour = colour or pick(rng, LEAF)
    gradient(image, (shade(colour, 1.25), colour, shade(colour, 0.75)), band)
    mottle(image, rng, shade(colour, 0.6), cells=(40, 26), band=band, strength=0.5)
    mottle(image, rng, shade(colour, 1.5), cells=(60, 30), band=band, strength=0.4, cover=0.4)
