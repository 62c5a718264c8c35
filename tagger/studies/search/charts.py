"""Drawings of a search, as SVG text to put into its page."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tagger.pages.drawing import ACCENT, MUTED, SECOND, SETTINGS, svg_text
from tagger.studies.search.findings import Findings, Tried

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def history_chart(found: Findings) -> str:
    """Draw the validation mAP of every trial, and the best so far."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(6.0, 2.7), layout="constrained")
        axes = figure.add_subplot(xlabel="trial", ylabel="validation mAP")
        _dots(axes, found, lambda trial: trial.number)
        finished = sorted((trial for trial in found.finished), key=lambda trial: trial.number)
        numbers = [trial.number for trial in finished]
        axes.step(numbers, best_so_far(finished), where="post", color=ACCENT, linewidth=1.2)
        axes.locator_params(axis="x", integer=True)
        _upper_part(axes, found)
        return svg_text(figure, name="history")


def importance_chart(shares: Mapping[str, float]) -> str:
    """Draw what share of the differences each setting explains as bars, the largest on top."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(6.0, 0.5 + 0.28 * len(shares)), layout="constrained")
        axes = figure.add_subplot()
        names = list(shares)[::-1]
        bars = axes.barh(names, [shares[name] for name in names], color=ACCENT, height=0.6)
        axes.bar_label(bars, [f"{shares[name]:.2f}" for name in names], padding=3)
        axes.margins(x=0.12)
        return svg_text(figure, name="importances")


def slices(found: Findings) -> dict[str, str]:
    """Draw, for every setting that was tried with more than one value, the trials' mAP over its value.

    Returns:
        SVG by setting. Trials in which the setting did not count are not in its drawing.
    """
    keys = dict.fromkeys(key for trial in found.trials for key in trial.choice)
    return {
        key: slice_chart(found, key, number)
        for number, key in enumerate(keys)
        if len({trial.choice[key] for trial in found.trials if key in trial.choice}) > 1
    }


def slice_chart(found: Findings, key: str, number: int) -> str:
    """Draw the trials' mAP over the value of one setting."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    values = [trial.choice[key] for trial in found.trials if key in trial.choice]
    is_range = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(3.4, 2.3), layout="constrained")
        axes = figure.add_subplot()
        if is_range:
            _dots(axes, found, lambda trial: trial.choice.get(key))
            if min(values) > 0 and max(values) / min(values) >= 20:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter("")
        else:
            names = list(dict.fromkeys(map(str, values)))
            _dots(axes, found, lambda trial: names.index(str(trial.choice[key])) if key in trial.choice else None)
            axes.set_xticks(range(len(names)), names)
            axes.margins(x=0.2)
        _upper_part(axes, found)
        return svg_text(figure, name=f"slice{number}")


def best_so_far(finished: Sequence[Tried]) -> list[float]:
    """Return the running maximum.

    Example:
        >>> trials = [Tried(n, "finished", {}, value, 1, 1.0, "") for n, value in enumerate([0.4, 0.3, 0.5])]
        >>> best_so_far(trials)
        [0.4, 0.4, 0.5]
    """
    best = -math.inf
    return [best := max(best, trial.val_map or 0.0) for trial in finished]


def _dots(axes: "Axes", found: Findings, place: Callable[[Tried], Any]) -> None:
    """Draw finished trials as dots, pruned ones as crosses and a ring around the best, where they have a place."""
    best = [found.best] if found.best else []
    looks: list[tuple[list[Tried], dict[str, Any]]] = [
        (found.finished, {"s": 18, "marker": "o", "color": ACCENT}),
        ([trial for trial in found.trials if trial.state == "pruned"], {"s": 18, "marker": "x", "color": MUTED}),
        (best, {"s": 60, "facecolors": "none", "edgecolors": SECOND}),
    ]
    for trials, look in looks:
        known = [trial for trial in trials if trial.val_map is not None and place(trial) is not None]
        values = [trial.val_map or 0.0 for trial in known]
        axes.scatter([place(trial) for trial in known], values, linewidths=1, **look)


def _upper_part(axes: "Axes", found: Findings) -> None:
    """Leave out what lies far below: one trial that learnt nothing would press the others into a line."""
    values = sorted(trial.val_map for trial in found.trials if trial.val_map is not None)
    if len(values) >= 4:
        top, middle = values[-1], values[len(values) // 2]
        axes.set_ylim(bottom=max(values[0], top - 4 * (top - middle + 1e-3)) - 0.05 * (top - middle + 1e-3))
