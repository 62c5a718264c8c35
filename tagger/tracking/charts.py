"""Drawings for the report, as SVG text to put into the page."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tagger.pages.drawing import ACCENT, MUTED, SECOND, SETTINGS, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
