"""Food, objects, and the things without a label that stand about."""

import math

import numpy as np

from tagger.data.sources.sample.pen import Colour, Motif, Pen, shade
from tagger.data.sources.sample.people import CLOTHES, pick


def platter(pen: Pen, wide: float = 0.62) -> None:
    pen.oval(0, -0.1, wide, wide * 0.42, (60, 40, 30, 70))
    pen.oval(0, -0.14, wide, wide * 0.42, (236, 236, 234))
    pen.oval(0, -0.14, wide * 0.74, wide * 0.3, (250, 250, 250))


def fruit(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """A plate of apples, oranges and bananas."""
    platter(pen)
    if rng.random() < 0.7:
        for drop in (0.0, 0.08):
            arc = [(0.4 * u, drop - 0.34 - 0.24 * u * u) for u in np.linspace(-1, 1, 9).tolist()]
            pen.stroke(arc, 0.09, shade((244, 208, 62), 1 - drop))
    kinds: tuple[Colour, ...] = ((206, 42, 44), (244, 146, 38), (132, 178, 54), (226, 70, 60))
    for _ in range(int(rng.integers(3, 6))):
        skin, right, down = pick(rng, kinds), rng.uniform(-0.34, 0.34), rng.uniform(-0.42, -0.2)
        pen.oval(right, down, 0.17, 0.16, shade(skin, 0.72))
        pen.oval(right - 0.012, down - 0.015, 0.155, 0.145, skin)
        pen.oval(right - 0.06, down - 0.06, 0.05, 0.04, shade(skin, 1.5))
        pen.stroke([(right, down - 0.13), (right + 0.02, down - 0.2)], 0.018, (90, 60, 36))
        pen.oval(right + 0.07, down - 0.19, 0.06, 0.025, (92, 150, 58), lean=-0.4)


def cake(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    icing = pick(rng, ((250, 226, 232), (252, 246, 232), (116, 70, 46), (214, 236, 240)))
    sponge = pick(rng, ((222, 172, 108), (130, 82, 52)))
    platter(pen)
    for foot, wide in ((-0.14, 0.42), (-0.4, 0.28)):
        pen.oval(0, foot, wide, wide * 0.32, shade(sponge, 0.8))
        pen.box(-wide, foot - 0.22, wide, foot, sponge)
        pen.box(-wide, foot - 0.1, wide, foot - 0.07, shade(icing, 0.92))
        pen.oval(0, foot - 0.22, wide, wide * 0.32, icing)
        for step in range(9):
            right = wide * (step / 4 - 1)
            pen.oval(right, foot - 0.2 + 0.3 * wide * math.sqrt(max(0.0, 1 - (step / 4 - 1) ** 2)), 0.055, 0.075, icing)
    for candle in np.linspace(-0.18, 0.18, int(rng.integers(2, 6))).tolist():
        pen.stroke([(candle, -0.62), (candle, -0.84)], 0.03, pick(rng, CLOTHES))
        pen.oval(candle, -0.89, 0.045, 0.075, (255, 214, 90, 130))
        pen.oval(candle, -0.88, 0.022, 0.045, (255, 236, 150))


def pizza(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Seen from above, sometimes with a slice gone."""
    pen.oval(0, -0.46, 0.58, 0.5, (60, 40, 30, 80))
    pen.oval(0, -0.5, 0.56, 0.5, (196, 134, 70))
    pen.oval(0, -0.5, 0.49, 0.43, (204, 74, 46))
    pen.oval(0, -0.5, 0.47, 0.41, (246, 204, 106))
    for colour, size in (((250, 232, 170), 0.09), ((190, 46, 40), 0.075), ((70, 120, 52), 0.04), ((44, 40, 40), 0.03)):
        for _ in range(9):
            turn, reach = rng.uniform(0, math.tau), 0.4 * math.sqrt(rng.random())
            pen.oval(reach * math.cos(turn), -0.5 + 0.86 * reach * math.sin(turn), size, size * 0.88, colour)
    for turn in np.arange(4) * math.pi / 4 + rng.uniform(0, 1):
        cut = (0.55 * math.cos(turn), 0.49 * math.sin(turn))
        pen.stroke([(-cut[0], -0.5 - cut[1]), (cut[0], -0.5 + cut[1])], 0.014, (150, 92, 50))


def umbrella(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    one, two = pick(rng, CLOTHES), pick(rng, (*CLOTHES, (250, 250, 246), (250, 250, 246), (250, 250, 246)))
    pen.stroke([(0, 0), (0, -0.98)], 0.025, (226, 220, 210))
    rim = [(0.56 * math.cos(turn), -0.62 - 0.36 * math.sin(turn)) for turn in np.linspace(math.pi, 0, 9)]
    for panel in range(8):
        left, right = 0.14 * panel - 0.56, 0.14 * panel - 0.42
        tone = shade((one, two)[panel % 2], 1.1 - 0.06 * panel)
        pen.polygon(
            [(0, -0.98), rim[panel], (left, -0.6), ((left + right) / 2, -0.57), (right, -0.6), rim[panel + 1]], tone
        )
    pen.stroke([(0, -0.98), (0, -1.04)], 0.025, (90, 80, 70))


def car(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    paint, roof = pick(rng, CLOTHES), rng.uniform(0.78, 0.98)
    glass = (150, 186, 206)
    pen.oval(0, -0.04, 1.05, 0.08, (20, 20, 24, 110))
    pen.polygon([(-0.72, -0.52), (-0.44, -roof), (0.34, -roof), (0.66, -0.52)], paint)
    pen.polygon([(-0.6, -0.54), (-0.39, -roof + 0.07), (-0.06, -roof + 0.07), (-0.06, -0.54)], glass)
    pen.polygon([(0.02, -0.54), (0.02, -roof + 0.07), (0.29, -roof + 0.07), (0.54, -0.54)], shade(glass, 0.85))
    pen.polygon([(-1, -0.2), (-0.98, -0.5), (-0.6, -0.56), (0.6, -0.56), (0.98, -0.44), (1.02, -0.2)], paint)
    pen.box(-1, -0.27, 1.02, -0.16, shade(paint, 0.7))
    pen.stroke([(-0.02, -0.54), (-0.02, -0.24)], 0.015, shade(paint, 0.6))
    pen.oval(0.95, -0.38, 0.07, 0.07, (255, 246, 200))
    pen.oval(-0.96, -0.4, 0.04, 0.07, (220, 40, 36))
    for wheel in (-0.6, 0.6):
        pen.oval(wheel, -0.17, 0.19, 0.19, (28, 28, 30))
        pen.oval(wheel, -0.17, 0.1, 0.1, (176, 178, 182))


def balloon(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """A bunch on strings."""
    for _ in range(int(rng.integers(2, 5))):
        skin, right, down = pick(rng, CLOTHES[:5] + CLOTHES[6:]), rng.uniform(-0.24, 0.24), rng.uniform(-0.88, -0.66)
        pen.stroke([(0, -0.02), (right * 0.4, -0.35), (right, down + 0.17)], 0.008, (240, 240, 240))
        pen.oval(right, down, 0.145, 0.18, shade(skin, 0.85))
        pen.oval(right - 0.012, down - 0.012, 0.125, 0.16, skin)
        pen.oval(right - 0.05, down - 0.07, 0.03, 0.045, shade(skin, 1.6), lean=0.5)
        pen.polygon([(right, down + 0.17), (right - 0.025, down + 0.205), (right + 0.025, down + 0.205)], skin)


def watch(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """On a table: strap, dial, two hands."""
    strap, metal = (
        pick(rng, ((72, 46, 34), (34, 34, 38), (150, 154, 160))),
        pick(rng, ((206, 172, 92), (190, 194, 200))),
    )
    dial = pick(rng, ((246, 246, 242), (36, 42, 60), (236, 228, 206)))
    ink: Colour = (30, 30, 34) if sum(dial) > 380 else (240, 240, 240)
    pen.polygon([(-0.13, -1.0), (0.13, -1.0), (0.17, -0.5), (0.13, 0), (-0.13, 0), (-0.17, -0.5)], strap)
    for hole in (-0.07, -0.15, -0.23):
        pen.oval(0, hole, 0.016, 0.016, shade(strap, 0.5))
    pen.oval(0, -0.5, 0.27, 0.27, shade(metal, 0.75))
    pen.oval(0, -0.5, 0.25, 0.25, metal)
    pen.oval(0, -0.5, 0.205, 0.205, dial)
    for turn in np.arange(12) * math.tau / 12:
        cos, sin = math.cos(turn), math.sin(turn)
        pen.stroke([(0.16 * cos, -0.5 + 0.16 * sin), (0.19 * cos, -0.5 + 0.19 * sin)], 0.016, ink)
    for reach, width in ((0.1, 0.026), (0.155, 0.016)):
        turn = rng.uniform(0, math.tau)
        pen.stroke([(0, -0.5), (reach * math.cos(turn), -0.5 + reach * math.sin(turn))], width, ink)


def tent(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    cloth = pick(rng, CLOTHES[:4] + CLOTHES[8:])
    pen.polygon([(-0.75, 0), (-0.3, -0.95), (0.55, -0.85), (0.95, -0.05)], shade(cloth, 0.8))
    pen.polygon([(-0.75, 0), (-0.3, -0.95), (0.2, 0.02)], cloth)
    pen.polygon([(-0.42, 0.01), (-0.3, -0.7), (-0.1, 0.01)], (46, 40, 40))
    pen.polygon([(-0.3, -0.7), (-0.1, 0.01), (0.03, 0.01)], shade(cloth, 1.25))
    for right in (-0.98, 1.15):
        pen.stroke([(right, 0.03), (-0.3 if right < 0 else 0.55, -0.9)], 0.012, (236, 230, 214))


def sailboat(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    pen.polygon([(-0.4, -0.14), (0.45, -0.14), (0.3, 0), (-0.28, 0)], pick(rng, CLOTHES))
    pen.polygon([(0, -1), (0.42, -0.2), (0, -0.2)], (246, 246, 242))
    pen.polygon([(-0.04, -0.9), (-0.34, -0.2), (-0.04, -0.2)], (226, 228, 230))


def snowman(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    for down, size in ((-0.24, 0.26), (-0.58, 0.19), (-0.83, 0.14)):
        pen.oval(0, down, size, size, (206, 218, 232))
        pen.oval(-0.02, down - 0.02, size * 0.92, size * 0.92, (246, 250, 254))
    pen.polygon([(0, -0.84), (0.2, -0.8), (0, -0.79)], (240, 130, 40))
    pen.stroke([(-0.13, -0.69), (0.13, -0.69)], 0.06, pick(rng, CLOTHES))
    for right, down in ((-0.05, -0.88), (0.05, -0.88), (0, -0.6), (0, -0.5)):
        pen.oval(right, down, 0.02, 0.02, (30, 30, 30))


def cup(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    glaze = pick(rng, CLOTHES)
    pen.oval(0, -0.03, 0.55, 0.12, (40, 30, 26, 80))
    ring = [(0.34 + 0.2 * math.cos(turn), -0.5 + 0.22 * math.sin(turn)) for turn in np.linspace(-1.6, 1.6, 9)]
    pen.stroke(ring, 0.09, shade(glaze, 0.85))
    pen.polygon([(-0.4, -0.85), (0.4, -0.85), (0.3, 0), (-0.3, 0)], glaze)
    pen.polygon([(0.15, -0.85), (0.4, -0.85), (0.3, 0), (0.15, 0)], shade(glaze, 0.85))
    pen.oval(0, -0.85, 0.4, 0.12, shade(glaze, 1.1))
    pen.oval(0, -0.84, 0.33, 0.09, (84, 52, 34))


def plate(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Bread and butter: a meal without a label."""
    platter(pen)
    bread, right = pick(rng, ((214, 160, 96), (150, 100, 62))), rng.uniform(-0.15, 0.15)
    pen.oval(right, -0.2, 0.3, 0.15, shade(bread, 0.7))
    pen.oval(right, -0.23, 0.28, 0.13, shade(bread, 1.25))
    pen.box(right - 0.1, -0.3, right + 0.08, -0.19, (250, 226, 130))


def ball(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    skin = pick(rng, CLOTHES)
    pen.oval(0.05, -0.03, 0.5, 0.1, (30, 30, 30, 90))
    pen.oval(0, -0.5, 0.5, 0.5, shade(skin, 0.85))
    pen.oval(-0.05, -0.55, 0.42, 0.42, skin)
    pen.oval(0, -0.5, 0.16, 0.49, (250, 250, 246))


THINGS: dict[str, Motif] = {
    "fruit": fruit,
    "cake": cake,
    "pizza": pizza,
    "umbrella": umbrella,
    "car": car,
    "balloon": balloon,
    "watch": watch,
    "tent": tent,
    "sailboat": sailboat,
    "snowman": snowman,
    "cup": cup,
    "ball": ball,
    "plate": plate,
}
