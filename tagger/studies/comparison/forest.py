"""The forest plot: every version's difference to the baseline with its interval, as SVG text for the page."""

from typing import TYPE_CHECKING

from tagger.pages.drawing import ACCENT, INK, LINE, MUTED, SETTINGS, svg_text
from tagger.pages.visible import visible
from tagger.studies.comparison.comparison import Comparison, Difference
from tagger.studies.comparison.verdict import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = {
    "map": "mAP",
    "map_head": "head",
    "map_medium": "medium",
    "map_tail": "tail",
    "precision_at_matched_recall": "precision, baseline's recall",
    "precision_at_recall_50": "precision, recall 0.5",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "top5_f1": "five tags, F1",
}
"""What is drawn, from top to bottom."""


def forest_plot(comparison: Comparison) -> str:
    """Draw the differences in points, a panel for every version; filled dots where the interval leaves 0 out."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    challengers = comparison.challengers
    with mpl.rc_context(SETTINGS | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(4.6, 0.5 + 2.3 * len(challengers)), layout="constrained")
        panels = figure.subplots(len(challengers), 1, sharex=True, squeeze=False)[:, 0]
        for axes, version in zip(panels, challengers, strict=True):
            drawn = {
                title: version.figures[name].difference for name, title in DRAWN.items() if name in version.figures
            }
            draw_differences(axes, {title: found for title, found in drawn.items() if found})
            axes.set_title(visible(f"{version.version} less {comparison.baseline}"), loc="left", fontsize=9, color=INK)
        panels[-1].set_xlabel("points")
        return svg_text(figure, name="forest")


def draw_differences(axes: "Axes", differences: dict[str, Difference]) -> None:
    """Draw one line for every difference, the first on top."""
    axes.axvline(0, color=MUTED, linewidth=1)
    for height, difference in enumerate(differences.values()):
        axes.plot([100 * difference.low, 100 * difference.high], [height, height], color=ACCENT, linewidth=1.6)
        axes.plot(
            100 * difference.value,
            height,
            "o",
            markersize=4.5,
            color=ACCENT,
            markerfacecolor=ACCENT if difference.is_shown else LINE,
        )
        axes.annotate(
            points(difference.value),
            (1.01, height),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=INK if difference.is_shown else MUTED,
        )
    axes.set_yticks(range(len(differences)), list(differences))
    axes.set_ylim(len(differences) - 0.4, -0.6)
    axes.tick_params(left=False)
