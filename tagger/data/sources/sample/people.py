"""People and what they do: standing, swimming, skiing, cycling."""

from functools import partial

import numpy as np

from tagger.data.sources.sample.pen import Colour, Motif, Pen, shade

SKIN: tuple[Colour, ...] = ((246, 214, 186), (226, 178, 140), (188, 132, 94), (134, 88, 60), (92, 60, 44))
HAIR: tuple[Colour, ...] = ((40, 30, 26), (74, 48, 30), (120, 78, 40), (206, 168, 96), (150, 146, 142))
CLOTHES: tuple[Colour, ...] = (
    (198, 52, 48),
    (44, 92, 170),
    (240, 196, 60),
    (64, 140, 88),
    (236, 236, 232),
    (52, 54, 66),
    (226, 118, 160),
    (118, 78, 152),
    (232, 132, 54),
)


def pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """Return one of the colours, a little lighter or darker."""
    return shade(colours[rng.integers(len(colours))], rng.uniform(0.85, 1.1))


def person(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = (), *, head: float) -> None:
    """Draw someone standing; ``head`` is the height of the head as a share of the body."""
    skin, hair, top, bottom = (pick(rng, colours) for colours in (SKIN, HAIR, CLOTHES, CLOTHES))
    neck, hip, wide = -1 + head, -0.47 + 0.1 * (head - 0.16), 0.095 + 0.12 * head
    step, skirt = rng.uniform(0.02, 0.09), rng.random() < 0.3
    for side in (-1, 1):
        foot = (side * (0.03 + step), -0.01)
        pen.stroke([(side * 0.05, hip), foot], 0.085, skin if skirt else bottom)
        pen.oval(foot[0] + 0.02, -0.015, 0.055, 0.022, (46, 40, 40))
    if skirt:
        pen.polygon([(-wide * 0.8, hip - 0.06), (wide * 0.8, hip - 0.06), (0.17, -0.24), (-0.17, -0.24)], bottom)
    hands = [_arm(pen, rng, side=side, neck=neck, wide=wide, sleeve=top, skin=skin) for side in (-1, 1)]
    shoulder = neck + 0.045
    pen.polygon([(-wide, shoulder), (wide, shoulder), (wide * 0.8, hip + 0.03), (-wide * 0.8, hip + 0.03)], top)
    pen.polygon([(wide * 0.3, shoulder), (wide, shoulder), (wide * 0.8, hip + 0.03)], shade(top, 0.88))
    pen.oval(0, shoulder, wide, 0.03, top)
    pen.box(-0.026, neck - 0.03, 0.026, neck + 0.03, shade(skin, 0.88))
    face(pen, rng, (0, neck - head * 0.45), head / 2, skin=skin, hair=hair, sunglasses="sunglasses" in wears)
    if "watch" in wears:
        wristwatch(pen, *hands[0])


def _arm(
    pen: Pen, rng: np.random.Generator, *, side: int, neck: float, wide: float, sleeve: Colour, skin: Colour
) -> tuple[float, float]:
    """Draw an arm, hanging or raised, and return where its wrist is."""
    raised = rng.random() < 0.18
    elbow = (side * (wide + 0.07), neck + (0.02 if raised else 0.2))
    hand = (side * (wide + rng.uniform(0.02, 0.16)), neck + (-0.14 if raised else rng.uniform(0.3, 0.38)))
    pen.stroke([elbow, hand], 0.048, skin)
    pen.oval(*hand, 0.03, 0.034, skin)
    pen.stroke([(side * wide * 0.9, neck + 0.06), elbow], 0.066, shade(sleeve, 0.92))
    return 0.3 * elbow[0] + 0.7 * hand[0], 0.3 * elbow[1] + 0.7 * hand[1]


def face(
    pen: Pen,
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    *,
    skin: Colour,
    hair: Colour,
    sunglasses: bool = False,
) -> None:
    right, down = centre
    if rng.random() < 0.45:
        pen.oval(right, down + radius * 0.05, radius, radius * 1.02, hair)
    pen.oval(right, down - radius * 0.22, radius * 0.92, radius * 0.86, hair)
    pen.oval(right, down + radius * 0.08, radius * 0.76, radius * 0.88, skin)
    pen.polygon(
        [(right + u * radius, down - v * radius) for u, v in ((-0.74, 0.3), (0.74, 0.3), (0.3, 0.72), (-0.5, 0.75))],
        hair,
    )
    pen.stroke(
        [(right - radius * 0.22, down + radius * 0.55), (right + radius * 0.24, down + radius * 0.53)],
        radius * 0.09,
        (170, 70, 66),
    )
    for side in (-1, 1):
        eye = right + side * radius * 0.36
        if sunglasses:
            pen.oval(eye, down + radius * 0.08, radius * 0.33, radius * 0.25, (16, 16, 22))
            pen.oval(eye - radius * 0.1, down, radius * 0.09, radius * 0.06, (104, 116, 140))
        else:
            pen.oval(eye, down + radius * 0.06, radius * 0.1, radius * 0.1, (44, 34, 32))
    if sunglasses:
        pen.stroke([(right - radius * 0.72, down), (right + radius * 0.72, down)], radius * 0.1, (16, 16, 22))


def wristwatch(pen: Pen, right: float, down: float) -> None:
    pen.oval(right, down, 0.036, 0.017, (34, 30, 30))
    pen.oval(right, down, 0.022, 0.022, (214, 182, 92))
    pen.oval(right, down, 0.015, 0.015, (246, 246, 242))


def swimmer(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    skin, cap = pick(rng, SKIN), pick(rng, CLOTHES)
    pen.oval(0.3, -0.05, 1.3, 0.13, (236, 246, 250, 150))
    pen.oval(0.95, -0.1, 0.55, 0.13, skin)
    pen.stroke([(0.5, -0.15), (0.15, -0.72), (-0.55, -0.3)], 0.2, skin)
    pen.oval(-0.1, -0.36, 0.3, 0.33, skin)
    pen.oval(-0.02, -0.47, 0.32, 0.27, cap)
    pen.oval(-0.28, -0.36, 0.08, 0.06, (30, 40, 60))
    for _ in range(14):
        splash = rng.uniform(0.03, 0.1)
        pen.oval(rng.uniform(-1, 1.8), -abs(rng.normal(0, 0.28)), splash, splash, (248, 252, 255))
    pen.oval(0.3, 0.06, 1.4, 0.1, (60, 130, 160, 120))


def skier(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    jacket, trousers, skin = pick(rng, CLOTHES), pick(rng, CLOTHES), pick(rng, SKIN)
    for shift in (0, 0.1):
        pen.stroke([(-0.55 + shift, 0.06), (0.5 + shift, -0.03), (0.62 + shift, -0.1)], 0.035, shade(jacket, 0.6))
        pen.stroke([(-0.12 + shift, -0.5), (0.14 + shift, -0.27), (-0.02 + shift, -0.03)], 0.11, trousers)
        pen.oval(shift, -0.04, 0.09, 0.05, (40, 40, 48))
    pen.stroke([(-0.1, -0.5), (0.08, -0.74)], 0.2, jacket)
    for hand in ((0.32, -0.5), (0.42, -0.56)):
        pen.stroke([(0.08, -0.72), (0.2, -0.54), hand], 0.08, shade(jacket, 0.85))
        pen.stroke([hand, (hand[0] - 0.55, -0.02)], 0.018, (60, 60, 70))
    pen.oval(0.16, -0.89, 0.09, 0.1, skin)
    pen.oval(0.14, -0.93, 0.1, 0.085, pick(rng, CLOTHES))
    pen.oval(0.22, -0.9, 0.05, 0.035, (30, 34, 44))


def cyclist(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    jersey, trousers, skin, frame = (pick(rng, colours) for colours in (CLOTHES, CLOTHES, SKIN, CLOTHES))
    for hub in (-0.34, 0.34):
        ring = [
            (hub + 0.23 * float(np.cos(turn)), -0.23 + 0.23 * float(np.sin(turn))) for turn in np.linspace(0, 6.4, 26)
        ]
        pen.stroke(ring, 0.03, (30, 30, 34))
        for turn in (0.3, 1.35, 2.4):
            spoke = (0.22 * float(np.cos(turn)), 0.22 * float(np.sin(turn)))
            pen.stroke([(hub - spoke[0], -0.23 - spoke[1]), (hub + spoke[0], -0.23 + spoke[1])], 0.008, (150, 150, 154))
    pen.stroke([(-0.34, -0.23), (-0.1, -0.5), (0.26, -0.5), (0, -0.2), (-0.34, -0.23)], 0.028, frame)
    pen.stroke([(0.34, -0.23), (0.25, -0.56), (0.32, -0.6)], 0.028, frame)
    pen.stroke([(-0.1, -0.55), (0.12, -0.4), (0.0, -0.16)], 0.085, trousers)
    pen.stroke([(-0.1, -0.56), (0.06, -0.8)], 0.15, jersey)
    pen.stroke([(0.05, -0.78), (0.16, -0.64), (0.3, -0.6)], 0.055, skin)
    pen.oval(0.13, -0.9, 0.075, 0.085, skin)
    pen.oval(0.11, -0.94, 0.095, 0.06, pick(rng, CLOTHES))


PEOPLE: dict[str, Motif] = {
    "adult": partial(person, head=0.155),
    "child": partial(person, head=0.25),
    "swimmer": swimmer,
    "skier": skier,
    "cyclist": cyclist,
}
