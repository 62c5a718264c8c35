"""``report.html`` of a cleaning: one file that loads nothing, with a contact sheet of what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
from markupsafe import Markup

from tagger.atomic import write_text
from tagger.cleaning.report.gains import Gains
from tagger.cleaning.report.progress import LabelProgress
from tagger.cleaning.report.report import Change, Report
from tagger.cleaning.report.table import bought, interval
from tagger.data.catalog import Catalog
from tagger.data.catalog.fold_noise import noise_figures, noise_note, percent
from tagger.pages.drawing import ACCENT, INK, MUTED, SECOND, SETTINGS, svg_text
from tagger.pages.template import page_template
from tagger.pages.thumbnails import load_thumbnails, style_rules
from tagger.pages.visible import visible
from tagger.studies.comparison.verdict import points

SHOWN = 24
"""Photos of a label on its contact sheet, and labels in the drawing."""

LIMIT = 1200
"""Photos on the page, about 5 kB each; those of the labels that changed most come first."""

WHY = {
    "missing": "may be on the photo though nobody says so",
    "mistaken": "may not be on the photo though it is annotated",
    "sample": "drawn at random from the test fold",
    "again": "decided by one person, asked again at random",
    "unasked": "decided without a question",
}


@dataclass(frozen=True)
class Sheet:
    """A label's contact sheet."""

    progress: LabelProgress
    changes: Sequence[Change]
    left_out: int


def write_page(path: Path, report: Report, *, facts: Mapping[str, str], catalog: Catalog) -> None:
    """Write the page.

    Args:
        path: Of the HTML file.
        report: What is told.
        facts: Shown at the top, by name.
        catalog: Knows where photos lie.
    """
    sheets = contact_sheets(report)
    rows = dict.fromkeys(change.row for sheet in sheets for change in sheet.changes)
    thumbnails = load_thumbnails({row: catalog.place(row) for row in rows}, progress=True)
    gained = report.gains if report.gains and len(report.gains.points) > 1 else None
    page = page_template(Path(__file__).with_name("page.html")).render(
        report=report,
        facts=facts,
        note=noise_note(noise_figures(report.noise, fingerprint=report.data_fingerprint)),
        why=WHY,
        sheets=sheets,
        pictures=set(thumbnails),
        thumbnail_style=Markup(style_rules(thumbnails)),
        gains={gain.label: gain for gain in gained.labels} if gained else {},
        bought=bought(report.gains) if report.gains else "",
        curve=Markup(gain_curve(gained)) if gained else "",
        ladder=Markup(gain_ladder(gained)) if gained and gained.labels else "",
        interval=interval,
        percent=percent,
        points=points,
    )
    write_text(path, page)


def contact_sheets(report: Report) -> list[Sheet]:
    """Return what changed, label by label, with as many photos as the page can hold."""
    progress, left, sheets = {one.label: one for one in report.labels}, LIMIT, []
    for label, changes in groupby(report.changes, key=lambda change: change.label):
        own = list(changes)
        shown = own[: min(SHOWN, left)]
        left -= len(shown)
        sheets.append(Sheet(progress[label], shown, len(own) - len(shown)))
    return sheets


def gain_curve(gains: Gains) -> str:
    """Return the drawing of AP over labels decided, as SVG."""
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(4.4, 2.9), layout="constrained")
        axes = figure.add_subplot(ylabel="mean AP, out of fold", xlabel="labels decided by people")
        decided = [point.decided for point in gains.points]
        for name, colour in (("cleaned", ACCENT), ("every", SECOND)):
            values = [getattr(point, name) for point in gains.points]
            if all(value is not None for value in values):
                axes.plot(decided, values, "o-", color=colour, markersize=3.5, linewidth=1.5)
        axes.margins(y=0.25)
        axes.locator_params(axis="x", nbins=5, integer=True)
        return svg_text(figure, name="gain")


def gain_ladder(gains: Gains) -> str:
    """Return the drawing of the AP of the labels that were cleaned most, before and after, as SVG."""
    from matplotlib.figure import Figure

    # Not those that moved most: labels of a few photos would be chosen for moving by chance.
    moved = sorted(gains.labels[:SHOWN], key=lambda gain: gain.after - gain.before)
    with mpl.rc_context(SETTINGS | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(4.4, 1.0 + 0.19 * len(moved)), layout="constrained")
        axes = figure.add_subplot(xlabel="AP, out of fold", xlim=(-0.02, 1.02))
        places = range(len(moved))
        for place, gain in zip(places, moved, strict=True):
            is_up = gain.after >= gain.before
            axes.plot([gain.before, gain.after], [place, place], color=ACCENT if is_up else SECOND, linewidth=1.5)
        axes.plot([gain.before for gain in moved], places, "o", color=MUTED, markersize=3, fillstyle="none")
        axes.plot([gain.after for gain in moved], places, "o", color=INK, markersize=3)
        # Names such as $x$ are names and no formulas, see SETTINGS; long ones would leave no room.
        axes.set_yticks(list(places), [_short(visible(gain.label)) for gain in moved], fontsize=7.5)
        return svg_text(figure, name="ladder")


def _short(name: str, *, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
