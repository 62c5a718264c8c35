"""Animals and plants."""

import math

import numpy as np

from tagger.data.sources.sample.pen import Colour, Motif, Pen, Point, shade
from tagger.data.sources.sample.people import pick

FUR: tuple[Colour, ...] = ((120, 80, 48), (60, 52, 50), (206, 160, 104), (232, 222, 206), (156, 148, 142))
GINGER: tuple[Colour, ...] = ((214, 138, 66), (70, 66, 66), (170, 164, 158), (238, 232, 224), (96, 76, 58))
BARK: tuple[Colour, ...] = ((96, 68, 46), (112, 88, 68), (74, 56, 44))
LEAF: tuple[Colour, ...] = ((62, 118, 52), (86, 142, 60), (42, 96, 50), (120, 150, 62))
PETAL: tuple[Colour, ...] = (
    (226, 62, 78),
    (246, 200, 60),
    (236, 128, 182),
    (250, 246, 240),
    (160, 92, 190),
    (244, 132, 58),
)
PLUMAGE: tuple[Colour, ...] = ((64, 66, 72), (240, 240, 240), (70, 110, 170), (150, 96, 62), (190, 60, 52))


def dog(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Side view: long muzzle, hanging ear, tail up."""
    fur = pick(rng, FUR)
    dark = shade(fur, 0.75)
    pen.stroke([(-0.5, -0.6), (-0.72, -0.85), (-0.7, -1.0)], 0.09, fur)
    for leg, colour in ((-0.38, dark), (0.3, dark), (-0.46, fur), (0.38, fur)):
        pen.stroke([(leg, -0.4), (leg + 0.02, -0.04)], 0.12, colour)
        pen.oval(leg + 0.05, -0.03, 0.09, 0.045, colour)
    pen.oval(0, -0.52, 0.56, 0.22, fur)
    pen.oval(-0.02, -0.44, 0.42, 0.13, shade(fur, 1.12))
    pen.polygon([(0.25, -0.62), (0.48, -0.38), (0.78, -0.78), (0.55, -0.95)], fur)
    pen.oval(0.66, -0.86, 0.2, 0.18, fur)
    pen.oval(0.87, -0.8, 0.19, 0.1, shade(fur, 1.1))
    pen.oval(1.03, -0.84, 0.055, 0.05, (26, 22, 22))
    pen.oval(0.72, -0.91, 0.035, 0.04, (26, 22, 22))
    pen.oval(0.54, -0.8, 0.09, 0.2, dark, lean=0.25)
    pen.stroke([(0.42, -0.62), (0.62, -0.62)], 0.06, (200, 50, 50))


def cat(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Sitting, face to the viewer: pointed ears, stripes, tail around the side."""
    fur = pick(rng, GINGER)
    dark, light = shade(fur, 0.68), shade(fur, 1.25)
    pen.stroke([(0.2, -0.08), (0.52, -0.08), (0.6, -0.28), (0.52, -0.42)], 0.09, dark)
    pen.oval(0, -0.3, 0.32, 0.32, fur)
    pen.oval(0, -0.3, 0.15, 0.24, light)
    for side in (-1, 1):
        pen.oval(side * 0.14, -0.06, 0.1, 0.06, light)
        pen.polygon([(side * 0.08, -0.88), (side * 0.3, -1.04), (side * 0.3, -0.7)], fur)
        pen.polygon([(side * 0.15, -0.87), (side * 0.26, -0.96), (side * 0.26, -0.78)], (226, 160, 156))
        pen.stroke([(side * 0.3, -0.42), (side * 0.17, -0.38)], 0.03, dark)
        pen.stroke([(side * 0.31, -0.28), (side * 0.18, -0.26)], 0.03, dark)
    pen.oval(0, -0.7, 0.3, 0.25, fur)
    for stripe in (-0.09, 0, 0.09):
        pen.stroke([(stripe, -0.93), (stripe * 0.7, -0.82)], 0.028, dark)
    pen.oval(0, -0.6, 0.14, 0.1, light)
    for side in (-1, 1):
        pen.oval(side * 0.13, -0.73, 0.06, 0.055, (176, 196, 70))
        pen.oval(side * 0.13, -0.73, 0.018, 0.05, (20, 20, 20))
        for drop in (0, 0.04):
            pen.stroke([(side * 0.1, -0.6 + drop), (side * 0.4, -0.63 + 2 * drop)], 0.008, (240, 240, 240))
    pen.polygon([(-0.035, -0.65), (0.035, -0.65), (0, -0.61)], (216, 116, 120))


def bird(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """In flight, both wings spread."""
    plumage = pick(rng, PLUMAGE)
    lift = rng.uniform(0.15, 0.6)
    for side, colour in ((1, shade(plumage, 0.8)), (-1, plumage)):
        tip = (side * 1.25, -0.55 - lift)
        pen.polygon(
            [
                (side * 0.02 - 0.2, -0.42),
                (side * 0.6, -0.75 - lift * 0.6),
                tip,
                (side * 0.62, -0.42 - lift * 0.4),
                (0.2, -0.36),
            ],
            colour,
        )
    pen.oval(0, -0.36, 0.5, 0.17, plumage, lean=-0.12)
    pen.oval(0.05, -0.3, 0.36, 0.09, shade(plumage, 1.3), lean=-0.12)
    pen.polygon([(-0.4, -0.36), (-0.95, -0.42), (-0.9, -0.18)], shade(plumage, 0.7))
    pen.oval(0.5, -0.48, 0.18, 0.16, plumage)
    pen.polygon([(0.64, -0.54), (0.92, -0.44), (0.64, -0.42)], (236, 168, 52))
    pen.oval(0.54, -0.52, 0.035, 0.035, (16, 16, 16))


def fish(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    scales, stripe = pick(rng, PETAL), pick(rng, PETAL)
    pen.polygon([(-0.7, -0.5), (-1.3, -0.95), (-1.15, -0.5), (-1.3, -0.05)], shade(scales, 0.8))
    pen.polygon([(-0.4, -0.8), (0.05, -1.1), (0.4, -0.8)], shade(scales, 0.75))
    pen.polygon([(-0.2, -0.2), (0.05, 0.02), (0.3, -0.2)], shade(scales, 0.75))
    pen.oval(0, -0.5, 0.85, 0.4, scales)
    for across in (-0.35, 0.1):
        pen.oval(across, -0.5, 0.08, 0.36, stripe)
    pen.oval(0.05, -0.3, 0.6, 0.15, (255, 255, 255, 70))
    pen.oval(0.55, -0.6, 0.1, 0.11, (250, 250, 250))
    pen.oval(0.58, -0.6, 0.05, 0.06, (10, 10, 10))
    pen.polygon([(0.1, -0.5), (-0.22, -0.36), (-0.1, -0.62)], shade(scales, 0.7))


def tree(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Broad-leaved: a forked trunk under a crown of many clumps."""
    bark, leaf = pick(rng, BARK), pick(rng, LEAF)
    if rng.random() < 0.18:
        leaf = pick(rng, ((206, 128, 46), (186, 80, 44), (216, 176, 64)))
    pen.polygon([(-0.07, 0), (0.07, 0), (0.035, -0.5), (-0.035, -0.5)], bark)
    for side in (-0.22, 0.2):
        pen.stroke([(0, -0.38), (side, -0.62)], 0.035, bark)
    clumps = [(rng.normal(0, 0.17), -0.68 + rng.normal(0, 0.11)) for _ in range(26)]
    for tone, shift in ((0.62, 0.05), (0.85, 0.0), (1.1, -0.06), (1.35, -0.09)):
        clumps = clumps if tone < 1 else clumps[::2]
        for right, down in clumps:
            jitter = rng.uniform(-0.03, 0.03)
            pen.oval(
                right * 1.1 + jitter + shift * 0.5, down + shift, 0.13 / tone**0.8, 0.1 / tone**0.8, shade(leaf, tone)
            )


def conifer(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = (), *, snowy: bool = False) -> None:
    leaf = shade(pick(rng, ((38, 84, 56), (30, 70, 52), (58, 100, 60))), rng.uniform(0.8, 1.15))
    pen.box(-0.035, -0.14, 0.035, 0, (84, 60, 44))
    tiers = int(rng.integers(5, 8))
    for tier in range(tiers):
        foot, wide = -0.1 - 0.8 * tier / tiers, 0.27 * (1 - tier / tiers) + 0.035
        top = foot - 1.6 * 0.8 / tiers
        edge: list[Point] = [(wide * (step / 4 - 1), foot + (0.03 if step % 2 else 0)) for step in range(9)]
        pen.polygon([(0, top), *reversed(edge)], shade(leaf, 0.8 + 0.08 * tier))
        pen.polygon([(0, top), (wide, foot), (wide * 0.25, foot)], shade(leaf, 0.65))
        if snowy:
            pen.polygon([(0, top), (-wide, foot), (-wide * 0.3, foot - 0.06), (0.02, top + 0.12)], (240, 246, 252))


def palm(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    bark, leaf, bend = pick(rng, BARK), pick(rng, LEAF), rng.uniform(0.05, 0.28)
    trunk = [(bend * step**2, -0.76 * step) for step in np.linspace(0, 1, 9).tolist()]
    pen.stroke(trunk, 0.055, bark)
    for right, down in trunk[1:-1]:
        pen.stroke([(right - 0.025, down), (right + 0.025, down)], 0.012, shade(bark, 0.7))
    crown = trunk[-1]
    for turn in np.linspace(-3.4, 0.25, 9) + rng.uniform(-0.15, 0.15, 9):
        cos, sin = math.cos(turn), math.sin(turn)
        spine = [(crown[0] + 0.42 * t * cos, crown[1] + 0.3 * t * sin + 0.24 * t * t) for t in (0.0, 0.35, 0.7, 1.0)]
        under = [
            (right, down + 0.09 * (1 - abs(2 * t - 0.8)))
            for (right, down), t in zip(spine, (0, 0.35, 0.7, 1), strict=True)
        ]
        pen.polygon(spine + under[::-1], shade(leaf, rng.uniform(0.7, 1.15)))
        pen.stroke(spine, 0.014, shade(leaf, 1.25))


def flower(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """A few blossoms of one kind on stalks."""
    petal, leaf = pick(rng, PETAL), pick(rng, LEAF)
    petals, centre = int(rng.integers(5, 10)), pick(rng, ((240, 190, 50), (110, 70, 40), (250, 230, 120)))
    for spread in (-0.32, 0.3, 0.0):
        head = (spread + rng.uniform(-0.06, 0.06), -0.66 - rng.uniform(0, 0.12) - (0.08 if spread == 0 else 0))
        pen.stroke([(spread * 0.3, 0), (spread * 0.8, -0.35), head], 0.03, shade(leaf, 0.85))
        pen.oval(spread * 0.6 + 0.1, -0.26, 0.14, 0.045, leaf, lean=-0.6)
        for turn in np.linspace(0, math.tau, petals, endpoint=False):
            cos, sin = math.cos(turn), math.sin(turn)
            tone = shade(petal, 1.08 - 0.18 * sin)
            pen.oval(head[0] + 0.13 * cos, head[1] + 0.13 * sin, 0.11, 0.062, tone, lean=float(turn))
        pen.oval(*head, 0.068, 0.068, centre)


def potted_plant(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    pot, leaf = pick(rng, ((190, 98, 66), (236, 232, 226), (80, 110, 130), (60, 60, 64))), pick(rng, LEAF)
    for turn in np.linspace(-2.9, -0.25, 11) + rng.uniform(-0.12, 0.12, 11):
        reach = rng.uniform(0.3, 0.52)
        right, down = reach * math.cos(turn), -0.42 + reach * math.sin(turn)
        pen.stroke([(0, -0.32), (right, down)], 0.018, shade(leaf, 0.7))
        pen.oval(
            right * 0.8, -0.4 + (down + 0.42) * 0.8, 0.17, 0.07, shade(leaf, rng.uniform(0.75, 1.2)), lean=float(turn)
        )
    pen.polygon([(-0.19, -0.34), (0.19, -0.34), (0.14, 0), (-0.14, 0)], pot)
    pen.polygon([(0.06, -0.34), (0.19, -0.34), (0.14, 0), (0.06, 0)], shade(pot, 0.8))
    pen.box(-0.21, -0.38, 0.21, -0.31, shade(pot, 1.1))


NATURE: dict[str, Motif] = {
    "dog": dog,
    "cat": cat,
    "bird": bird,
    "fish": fish,
    "tree": tree,
    "conifer": conifer,
    "palm": palm,
    "flower": flower,
    "potted_plant": potted_plant,
}
