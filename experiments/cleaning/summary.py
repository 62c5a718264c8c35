"""Sum up what simulate.py measured: the tables of README.md, and the curve.

python experiments/cleaning/summary.py --work ~/simulation --curve experiments/cleaning/curve.svg
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from queue_quality import KINDS, Calibrated, Quality
from scipy.stats import t
from simulate import ARMS, Point

from tagger.atomic import write_text
from tagger.pages.drawing import ACCENT, INK, MUTED, SECOND, SETTINGS, svg_text

ALBUMS = {"sample": "data=sample", "noisy": "four and five times its noise"}

SHOWN = (50, 100, 250, 500, 1000, 2000)
"""Budgets in the table of precision and recall."""

LINES = {
    "queue, three annotators": (ACCENT, "-", "o"),
    "one list, one annotator": (INK, "-", "s"),
    "queue, one annotator": (ACCENT, "--", "o"),
    "random, one annotator": (SECOND, "-", "v"),
}
"""Colour, line and marker of every curve."""

STYLE = """<style>
svg { background: var(--paper) }
svg { --paper: #fff; --ink: #1e2529; --muted: #5c686f; --line: #dde1e1; --accent: #2c6e8f; --second: #a8632a }
@media (prefers-color-scheme: dark) {
svg { --paper: #1a2024; --ink: #e4e9eb; --muted: #9ba8af; --line: #333d43; --accent: #74b5d4; --second: #dfa06a } }
</style>"""
"""For a drawing that stands alone, as the pages' style does for those on a page."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="what simulate.py was given")
    parser.add_argument("--curve", type=Path, help="SVG file")
    given = parser.parse_args()
    found = {name: points_of(given.work.expanduser() / name) for name in ALBUMS}
    for name, points in found.items():
        folder = given.work.expanduser() / name
        print(f"\n## {ALBUMS[name]}\n")
        print(*quality_table([Quality(**one) for one in read(folder / "quality.json")["quality"]]), sep="\n")
        print()
        print(
            *calibration_table([Calibrated(**one) for one in read(folder / "calibration.json")["calibration"]]),
            sep="\n",
        )
        print()
        print(*curve_table(points), sep="\n")
        for seed, value in sorted(before(points).items()):
            print(f"without cleaning, seed {seed}: {value:.3f}")
        print("commits", *sorted(commits(folder)))
    if given.curve:
        write_text(given.curve, curve(found))


def read(path: Path) -> dict:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def points_of(folder: Path) -> list[Point]:
    """Return the points of an album; turns are ints again."""
    points = []
    for path in sorted(folder.glob("*/point_*.json")):
        told = read(path)["point"]
        maps = {name: {int(turn): value for turn, value in told[name].items()} for name in ("truth_map", "map")}
        points.append(Point(**{**told, **maps}))
    return points


def commits(folder: Path) -> set[str]:
    """Return the commits whose code made the figures."""
    return {read(path)["commit"] for path in (*folder.glob("*.json"), *folder.glob("*/point_*.json"))}


def quality_table(found: Sequence[Quality]) -> Iterator[str]:
    """Yield precision and recall, a row for every kind and order, a column for every budget."""
    yield "| kind | order | " + " | ".join(f"{tasks:,}" for tasks in SHOWN) + " |"
    yield "|---|---|" + "--:|" * len(SHOWN)
    for kind in KINDS:
        for order in dict.fromkeys(one.order for one in found if one.kind == kind):
            at = {one.tasks: one for one in found if (one.kind, one.order) == (kind, order)}
            cells = [f"{at[tasks].precision:.2f}, {at[tasks].recall:.2f}" if tasks in at else "" for tasks in SHOWN]
            yield f"| {kind} | {order} | {' | '.join(cells)} |"


def calibration_table(found: Sequence[Calibrated]) -> Iterator[str]:
    """Yield what the queue's probabilities promise, and what is so."""
    yield "| kind | probability | tasks | expected wrong | wrong |"
    yield "|---|---|--:|--:|--:|"
    for one in found:
        yield f"| {one.kind} | {one.low:.2f} to {one.high:.2f} | {one.tasks:,} | {one.expected:.3f} | {one.wrong:.3f} |"


def curve_table(points: Sequence[Point]) -> Iterator[str]:
    """Yield the points of every arm: what is said then, and the mAP on the truth that it gained, with its interval."""
    yield "| who decides | tasks | answers | said | of that wrong | seeds | points gained |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for arm, tasks, own in grouped(points):
        mean, half = gained(points, own)
        gain = f"{100 * mean:+.1f} ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f})" if tasks else ""
        said, wrong = (np.mean([getattr(point, name) for point in own]) for name in ("recorded", "wrong"))
        share = f"{wrong:.0f} ({100 * wrong / said:.1f} %)"
        cells = (arm, f"{tasks:,}", f"{own[0].answers:,}", f"{said:,.0f}", share, len(own))
        yield f"| {' | '.join(map(str, cells))} | {gain} |"


def grouped(points: Sequence[Point]) -> Iterator[tuple[str, int, list[Point]]]:
    """Yield the points of all seeds of an arm at a number of tasks."""
    for arm in ARMS:
        for tasks in sorted({point.tasks for point in points if point.arm == arm.name}):
            yield arm.name, tasks, [point for point in points if (point.arm, point.tasks) == (arm.name, tasks)]


def before(points: Sequence[Point]) -> dict[int, float]:
    """Return mAP on the truth without cleaning, the mean over the folds, by seed."""
    nothing = [point for point in points if point.arm == "nothing"]
    return {point.seed: float(np.mean(list(point.truth_map.values()))) for point in nothing}


def gained(points: Sequence[Point], own: Sequence[Point]) -> tuple[float, float]:
    """Return how much mAP on the truth points have over no cleaning, and half of the 95 % interval.

    Every run is compared with the one of the same seed and test fold. The folds are the sample: those of several seeds
    that tested the same one are averaged.
    """
    nothing = {point.seed: point.truth_map for point in points if point.arm == "nothing"}
    by_turn: dict[int, list[float]] = {}
    for point in own:
        for turn, value in point.truth_map.items():
            by_turn.setdefault(turn, []).append(value - nothing[point.seed][turn])
    means = [np.mean(values) for values in by_turn.values()]
    half = t.ppf(0.975, len(means) - 1) * np.std(means, ddof=1) / np.sqrt(len(means))
    return float(np.mean(means)), float(half)


def curve(found: Mapping[str, Sequence[Point]]) -> str:
    """Return the drawing: points gained against answered tasks, an album beside the other."""
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(8.8, 3.8), layout="constrained")
        every = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for axes, (album, points) in zip(every, found.items(), strict=True):
            axes.set(title=ALBUMS[album], xlabel="tasks decided")
            axes.title.set(fontsize=9, color=INK)
            for arm, (colour, line, marker) in LINES.items():
                # A point of one seed has half of the folds only, and would make the curve jump.
                same = [(tasks, mine) for name, tasks, mine in grouped(points) if name == arm and len(mine) > 1]
                own = [(tasks, *gained(points, mine)) for tasks, mine in same]
                tasks, means, halves = (np.array(column) for column in zip((0, 0.0, 0.0), *own, strict=True))
                axes.plot(tasks, 100 * means, line, marker=marker, markersize=4, color=colour, label=arm, linewidth=1.3)
                axes.fill_between(tasks, 100 * (means - halves), 100 * (means + halves), color=colour, alpha=0.1)
            for arm, style in (("everything, never wrong", ":"), ("all that is wrong, mended", "-.")):
                (mean,) = (100 * gained(points, mine)[0] for name, _, mine in grouped(points) if name == arm)
                axes.axhline(mean, color=MUTED, linestyle=style, linewidth=1, label=arm)
        every[0].set_ylabel("points of test mAP gained, on the truth")
        handles, names = every[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        svg = svg_text(figure, name="cleaning")
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">\n{STYLE}", 1)


if __name__ == "__main__":
    main()
