"""Drawings for the report, as SVG text to put into the page. The same data give the same bytes.

Colours are the page's own style variables, so the drawings follow its light and dark theme, and text stays text.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib draws with these colours; they are exchanged for the page's variables.
INK, MUTED, LINE, ACCENT, SECOND = "#000001", "#000002", "#000003", "#000004", "#000005"
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
}

SETTINGS: dict[Any, Any] = {
    # Ids inside the SVG are hashed with this salt; a random one would change the report at every writing.
    "svg.hashsalt": "tagger",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid.axis": "y",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}

GROUPS = ("head", "medium", "tail")


def group_bars(metrics: Mapping[str, float]) -> str:
    """Draw mean average precision of the head, medium and tail labels as bars.

    Args:
        metrics: ``test/map_head`` and so on, 0..1; a missing or NaN one is written as "no labels". Where there is
            ``test/labels_head`` and so on, the number of labels stands under the name.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    values = [metrics.get(f"test/map_{group}", math.nan) for group in GROUPS]
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(4.4, 2.7), layout="constrained")
        axes = figure.add_subplot(ylim=(0, 1), ylabel="mAP")
        heights = [0.0 if math.isnan(value) else value for value in values]
        bars = axes.bar(group_names(metrics), heights, width=0.55, color=ACCENT)
        axes.bar_label(bars, ["no labels" if math.isnan(value) else f"{value:.3f}" for value in values], padding=3)
        return svg_text(figure, name="bars")


def group_names(metrics: Mapping[str, float]) -> list[str]:
    r"""Return the names under the bars.

    Example:
        >>> group_names({"test/labels_head": 41.0})
        ['head\n41 labels', 'medium', 'tail']
    """
    counts = [metrics.get(f"test/labels_{group}") for group in GROUPS]
    return [
        f"{group}\n{count:.0f} labels" if count is not None else group
        for group, count in zip(GROUPS, counts, strict=True)
    ]


def learning_curve(history: Sequence[Mapping[str, float]]) -> str:
    """Draw validation mAP and, below it, training loss over optimisation steps.

    Args:
        history: One record per validation; the series ``val/map`` and ``train/loss`` are drawn over ``step``. Where
            a record lacks a value, or has NaN, the line passes over it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(4.4, 2.7), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        draw_series(above, *series(history, "val/map"), title="validation mAP", colour=ACCENT)
        draw_series(below, *series(history, "train/loss"), title="training loss", colour=SECOND)
        below.set_xlabel("step")
        return svg_text(figure, name="curve")


def series(history: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    """Return steps and values of one key.

    Example:
        >>> series([{"step": 10, "val/map": 0.1}, {"step": 20}, {"step": 30, "val/map": 0.3}], "val/map")
        ([10, 30], [0.1, 0.3])
    """
    known = [
        (point["step"], point[key]) for point in history if math.isfinite(point.get(key, math.nan)) and "step" in point
    ]
    return [step for step, _ in known], [value for _, value in known]


def draw_series(axes: "Axes", steps: list[float], values: list[float], *, title: str, colour: str) -> None:
    """Draw one line with its last value, or say that there is none."""
    axes.set_title(title, loc="left", fontsize=9, color=MUTED)
    axes.locator_params(nbins=4)
    if not steps:
        axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", va="center", color=MUTED)
        return
    axes.plot(steps, values, color=colour, marker="o" if len(steps) < 30 else "", markersize=2.5, linewidth=1.5)
    axes.margins(y=0.15)
    axes.set_title(f"{values[-1]:.3f}", loc="right", fontsize=9)


def svg_text(figure: "Figure", *, name: str) -> str:
    """Return the figure as an ``<svg>`` element whose ids begin with ``name``, so that two fit into one page."""
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 xmlns:xlink="http://www.w3.org/1999/xlink">', svg, count=1
    )
    return re.sub("|".join(VARIABLES), lambda colour: VARIABLES[colour[0]], svg)


def curve_points(precision: NDArray[np.floating], recall: NDArray[np.floating], *, limit: int = 80) -> str:
    """Return a precision-recall curve as the ``points`` of an SVG polyline, recall to the right, side 100.

    Thresholds crowd where the curve hardly moves; the points kept are instead spread evenly along the drawn line.

    Args:
        precision: By ascending threshold, 0..1, NaN where nothing is tagged; shape (bins,).
        recall: At the same thresholds, NaN for a label that no photo carries; shape (bins,).
        limit: Most points kept, at least 2. The two ends are always among them.

    Returns:
        An empty text if there is no curve.

    Example:
        >>> curve_points(np.array([0.5, 1.0, np.nan]), np.array([1.0, 0.25, 0.0]))
        '100,50 25,0'
    """
    known = np.isfinite(precision) & np.isfinite(recall)
    drawn = np.stack([100 * recall[known], 100 * (1 - precision[known])], axis=1).round(1)
    if not len(drawn):
        return ""
    steps = np.hypot(*np.diff(drawn, axis=0).T)
    drawn = drawn[np.concatenate([[True], steps > 0])]
    length = np.concatenate([[0.0], steps[steps > 0].cumsum()])
    if len(drawn) > limit:
        drawn = drawn[np.unique(np.searchsorted(length, np.linspace(0, length[-1], limit)))]
    return " ".join(f"{right:g},{down:g}" for right, down in drawn)
