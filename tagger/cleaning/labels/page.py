"""Which labels to clean, as a page: every label by its size and AP, the curve of what its size leads one to expect."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from markupsafe import Markup

from tagger.atomic import write_text
from tagger.cleaning.labels.ranked import LabelToClean
from tagger.pages.drawing import ACCENT, INK, MUTED, SECOND, SETTINGS, svg_text
from tagger.pages.template import page_template
from tagger.pages.visible import visible

NAMED = 12
"""Dirty labels that the drawing names."""

MARKS = {"fine": (".", MUTED), "starved": ("v", SECOND), "dirty": ("o", ACCENT)}


def write_page(path: Path, labels: Sequence[LabelToClean], *, facts: Mapping[str, str]) -> None:
    """Write the page: one file that loads nothing.

    Args:
        path: Of the HTML file.
        labels: Ranked.
        facts: Shown at the top, by name.
    """
    counts = {reason: sum(label.reason == reason for label in labels) for reason in ("dirty", "starved", "fine")}
    page = page_template(Path(__file__).with_name("page.html")).render(
        labels=labels, facts=facts, counts=counts, drawing=Markup(size_and_ap(labels))
    )
    write_text(path, page)


def size_and_ap(labels: Sequence[LabelToClean]) -> str:
    """Return the drawing as SVG: photos to the right on a scale of logarithms, AP upwards."""
    # A Figure of its own, not pyplot's: nothing has to be closed.
    from matplotlib.figure import Figure

    known = [label for label in labels if label.ap is not None and label.photos]
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(8.8, 4.6), layout="constrained")
        axes = figure.add_subplot(ylim=(-0.02, 1.02), ylabel="AP out of fold", xlabel="photos that carry the label")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
        curve = sorted((label.photos, label.expected_ap) for label in known if label.expected_ap is not None)
        if curve:
            axes.plot(*zip(*curve, strict=True), color=INK, linewidth=1.2)
        for reason, (marker, colour) in MARKS.items():
            points = [(label.photos, label.ap) for label in known if label.reason == reason]
            if points:
                axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=4.5)
        named = [label for label in known if label.reason == "dirty"][:NAMED]
        for number, label in enumerate(sorted(named, key=lambda label: label.photos)):
            # By turns above and below: names of labels that lie close stay readable.
            name = axes.annotate(
                visible(label.label),
                (label.photos, label.ap or 0.0),
                xytext=(4, -9 if number % 2 else 5),
                textcoords="offset points",
                fontsize=8,
            )
            # A name such as $x$ is a name and no formula.
            name.set_parse_math(False)
        return svg_text(figure, name="labels")
