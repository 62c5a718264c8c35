"""Drawings for the data card, as SVG text to put into the page."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tagger.data.card.balance import Balance, unavoidable
from tagger.data.catalog import TEST_FOLD, VALIDATION_FOLD
from tagger.pages.drawing import ACCENT, LINE, MUTED, SECOND, SETTINGS, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPECIAL = {TEST_FOLD: "test", VALIDATION_FOLD: "val."}


def long_tail(train: np.ndarray, *, head: int = 100, tail: int = 20) -> str:
    """Draw the training photos of every label, the commonest label first, on a logarithmic scale.

    Args:
        train: Training photos of each label, int (labels,); labels without any are not drawn.
        head: Labels with at least so many are head labels.
        tail: Labels with fewer are tail labels.
    """
    counts = np.sort(train[train > 0])[::-1]

    def draw(axes: "Axes") -> None:
        axes.set(xlabel="labels, the commonest first", ylabel="training photos")
        if not len(counts):
            return nothing(axes)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.fill_between(np.arange(len(counts) + 1), np.append(counts, counts[-1]), 0.7, step="post", color=ACCENT)
        axes.set(xlim=(0, len(counts)), ylim=(0.7, counts[0] * 1.5))
        for limit, name in ((head, "head"), (tail, "medium")):
            axes.axhline(limit, color=SECOND, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.annotate(f"{name} from {limit}", (len(counts), limit), (-3, 3), textcoords="offset points", ha="right")

    return drawing(draw, name="tail")


def fold_sizes(balance: Balance) -> str:
    """Draw the photos of every fold as bars."""
    folds = np.arange(len(balance.photos))

    def draw(axes: "Axes") -> None:
        colours = [SECOND if fold in SPECIAL else ACCENT for fold in folds]
        axes.bar(folds, balance.photos, width=0.65, color=colours)
        axes.set_xticks(folds, [SPECIAL.get(int(fold), str(fold)) for fold in folds])
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set(xlabel="fold", ylabel="photos")
        axes.tick_params(axis="x", length=0)

    return drawing(draw, name="folds")


def fold_deviations(balance: Balance) -> str:
    """Draw how far every label's worst fold is from a tenth over its number of photos, and what whole photos allow."""
    photos = balance.present.sum(axis=0)
    known = photos > 0

    def draw(axes: "Axes") -> None:
        axes.set(xlabel="photos of the label", ylabel="percentage points off")
        if not known.any():
            return nothing(axes)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        # From ten photos on, only multiples of ten allow an even split; the line is the upper edge of the rest.
        edge = np.unique(np.geomspace(1, max(photos.max() / 10, 1), 200).astype(int)) * 10 + 1
        steps = np.concatenate([np.arange(1, 10), edge])
        steps = steps[steps <= max(photos.max(), 2)]
        limits = 100 * unavoidable(steps, folds=len(balance.photos))
        axes.plot(
            steps, limits, color=SECOND, linewidth=1, linestyle=(0, (4, 3)), label="unavoidable with whole photos"
        )
        axes.scatter(photos[known], 100 * balance.deviation[known], s=9, color=ACCENT, alpha=0.6, linewidths=0)
        axes.legend(frameon=False, labelcolor=MUTED, fontsize=8)

    return drawing(draw, name="deviations")


def drawing(draw: Any, *, name: str) -> str:
    """Return what a function draws into empty axes, as SVG text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(4.4, 2.7), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.tick_params(which="minor", color=LINE)
        return svg_text(figure, name=name)


def nothing(axes: "Axes") -> None:
    """Say that there is nothing to draw."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, "no label has photos", transform=axes.transAxes, ha="center", va="center", color=MUTED)
