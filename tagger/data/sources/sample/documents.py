"""Documents: a card, a receipt, a written page, a screen. The writing is scribble that looks like writing."""

import numpy as np

from tagger.data.sources.sample.pen import Colour, Motif, Pen, shade
from tagger.data.sources.sample.people import CLOTHES, HAIR, SKIN, face, pick

INK: Colour = (44, 44, 52)


def print_line(pen: Pen, rng: np.random.Generator, left: float, right: float, down: float, *, height: float) -> None:
    """A line of print: words of blocks, as small type looks in a small photo."""
    while left < right - height:
        word = min(rng.uniform(1.2, 5) * height, right - left)
        pen.box(left, down - height, left + word, down, INK)
        left += word + 0.7 * height


def sheet(pen: Pen, wide: float, colour: Colour) -> None:
    """Paper with a shadow; ``wide`` is half its width."""
    pen.box(-wide + 0.02, -0.975, wide + 0.025, 0.025, (20, 14, 10, 90))
    pen.box(-wide, -1, wide, 0, colour)


def id_card(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Wide card: coloured head, portrait at one side, printed lines."""
    paper = pick(rng, ((222, 234, 242), (240, 226, 220), (224, 240, 226), (236, 234, 214)))
    sheet(pen, 0.78, paper)
    for wave in range(4):
        pen.stroke(
            [(-0.76, -0.2 - 0.15 * wave), (0, -0.1 - 0.18 * wave), (0.76, -0.24 - 0.15 * wave)],
            0.012,
            shade(paper, 0.92),
        )
    pen.box(-0.78, -1, 0.78, -0.84, pick(rng, CLOTHES))
    pen.box(-0.7, -0.74, -0.22, -0.14, (206, 216, 226))
    pen.oval(-0.46, -0.16, 0.22, 0.17, pick(rng, CLOTHES))
    pen.box(-0.7, -0.14, -0.22, 0.0, paper)
    face(pen, rng, (-0.46, -0.46), 0.19, skin=pick(rng, SKIN), hair=pick(rng, HAIR))
    for line in range(4):
        print_line(pen, rng, -0.1, rng.uniform(0.4, 0.7), -0.64 + 0.14 * line, height=0.05)
    print_line(pen, rng, -0.7, 0.7, -0.05, height=0.06)


def receipt(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """Narrow slip: a shop's head, items left, prices right, a total, a bar code."""
    sheet(pen, 0.26, pick(rng, ((246, 246, 242), (250, 246, 232))))
    teeth = [(-0.26 + 0.04 * step, 0.02 if step % 2 else 0) for step in range(14)]
    pen.polygon([*teeth, (0.26, -0.02), (-0.26, -0.02)], (246, 246, 242))
    print_line(pen, rng, -0.15, 0.15, -0.9, height=0.045)
    print_line(pen, rng, -0.1, 0.12, -0.84, height=0.02)
    for line in range(int(rng.integers(7, 12))):
        down = -0.76 + 0.042 * line
        print_line(pen, rng, -0.21, rng.uniform(-0.05, 0.07), down, height=0.018)
        print_line(pen, rng, 0.13, 0.21, down, height=0.018)
    pen.stroke([(-0.21, -0.27), (0.21, -0.27)], 0.008, INK)
    print_line(pen, rng, -0.21, -0.04, -0.2, height=0.035)
    print_line(pen, rng, 0.08, 0.21, -0.2, height=0.035)
    for bar in np.arange(-0.18, 0.18, 0.022).tolist():
        pen.box(bar, -0.15, bar + rng.uniform(0.004, 0.015), -0.05, INK)


def page(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """A printed page, which is none of the labelled documents."""
    sheet(pen, 0.38, pick(rng, ((250, 248, 238), (244, 244, 246), (236, 226, 200))))
    print_line(pen, rng, -0.3, 0.1, -0.86, height=0.05)
    for line in np.arange(-0.78, -0.08, 0.045).tolist():
        print_line(pen, rng, -0.3, rng.uniform(0.15, 0.3), line, height=0.018)


def handwriting(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """A ruled page with joined-up scribble, now and then crossed out."""
    paper = pick(rng, ((250, 248, 238), (252, 250, 250), (246, 236, 196)))
    ink = pick(rng, ((30, 44, 120), (34, 34, 40), (110, 30, 40)))
    sheet(pen, 0.4, paper)
    pen.stroke([(-0.29, -1), (-0.29, 0)], 0.006, (226, 130, 130))
    for line in range(int(rng.integers(6, 10))):
        down = -0.86 + 0.088 * line
        pen.stroke([(-0.4, down + 0.01), (0.4, down + 0.01)], 0.004, (170, 190, 214))
        _scribble(pen, rng, -0.25, rng.uniform(0.1, 0.35), down, ink=ink)
    if rng.random() < 0.6:
        pen.stroke([(0.0, -0.02), (0.3, -0.42)], 0.034, pick(rng, CLOTHES))
        pen.stroke([(0.0, -0.02), (0.02, -0.05)], 0.02, (230, 200, 160))


def _scribble(pen: Pen, rng: np.random.Generator, left: float, right: float, down: float, *, ink: Colour) -> None:
    while left < right:
        loops = int(rng.integers(4, 10))
        rises = rng.choice([0.012, 0.025, 0.03, 0.055], size=loops)
        points = [(left + 0.012 * step, down - (float(rise) if step % 2 else 0.0)) for step, rise in enumerate(rises)]
        pen.stroke(points, 0.01, ink)
        left += 0.012 * loops + 0.03


def screenshot(pen: Pen, rng: np.random.Generator, wears: tuple[str, ...] = ()) -> None:
    """The whole frame is a phone's screen: status bar, then a chat or a list, then a bar of buttons."""
    accent, dark = pick(rng, CLOTHES[:4]), rng.random() < 0.3
    page: Colour = (34, 36, 42) if dark else (242, 243, 246)
    pen.box(-1.5, -1.5, 1.5, 1.5, page)
    pen.box(-1.5, -1.5, 1.5, -0.86, accent)
    pen.box(-0.45, -0.98, -0.3, -0.955, (250, 250, 250))
    pen.box(0.34, -0.98, 0.46, -0.955, (250, 250, 250))
    print_line(pen, rng, -0.4, 0.1, -0.885, height=0.035)
    (_chat if rng.random() < 0.5 else _cards)(pen, rng, accent, dark=dark)
    pen.box(-1.5, -0.09, 1.5, 1.5, (54, 56, 64) if dark else (252, 252, 252))
    for button in (-0.36, -0.12, 0.12, 0.36):
        pen.oval(button, -0.045, 0.026, 0.026, accent if button < -0.3 else (150, 152, 160))


def _chat(pen: Pen, rng: np.random.Generator, accent: Colour, *, dark: bool) -> None:
    down = -0.82
    while down < -0.18:
        tall, wide, mine = rng.uniform(0.07, 0.15), rng.uniform(0.3, 0.62), rng.random() < 0.5
        left = 0.46 - wide if mine else -0.38
        pen.box(left, down, left + wide, down + tall, shade(accent, 1.5) if mine else (214, 216, 222))
        for line in np.arange(down + 0.045, down + tall, 0.04).tolist():
            print_line(pen, rng, left + 0.03, left + wide - 0.04, line, height=0.018)
        if not mine:
            pen.oval(-0.435, down + 0.035, 0.035, 0.035, pick(rng, CLOTHES))
        down += tall + 0.04


def _cards(pen: Pen, rng: np.random.Generator, accent: Colour, *, dark: bool) -> None:
    for down in (-0.82, -0.64, -0.46, -0.28):
        pen.box(-0.46, down, 0.46, down + 0.15, (62, 64, 72) if dark else (255, 255, 255))
        pen.box(-0.43, down + 0.02, -0.28, down + 0.13, pick(rng, CLOTHES))
        print_line(pen, rng, -0.23, 0.2, down + 0.06, height=0.026)
        print_line(pen, rng, -0.23, 0.4, down + 0.11, height=0.018)


DOCUMENTS: dict[str, Motif] = {
    "id_card": id_card,
    "receipt": receipt,
    "handwriting": handwriting,
    "screenshot": screenshot,
    "page": page,
}
