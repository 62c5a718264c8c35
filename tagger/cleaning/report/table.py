"""What a cleaning came to, in the terminal."""

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tagger.cleaning.report.accuracy import Share
from tagger.cleaning.report.gains import Gains
from tagger.cleaning.report.report import Report
from tagger.data.catalog.fold_noise import percent
from tagger.pages.template import figure
from tagger.pages.visible import visible
from tagger.studies.comparison.verdict import points


def report_tables(report: Report, *, shown: int) -> Iterator[RenderableType]:
    """Yield a table of the kinds, of the first labels, of the annotators, and what cleaning bought in a line."""
    yield _kinds(report)
    if report.total.decided:
        yield _labels(report, shown=shown)
    if report.annotators.people:
        yield _annotators(report, shown=shown)
    if report.gains is not None:
        yield Text(bought(report.gains))


def bought(gains: Gains) -> str:
    """Return what cleaning bought, in a sentence.

    Example:
        >>> from tagger.cleaning.report.gains import Point
        >>> points = (Point("", 0, 0.4, 0.5), Point("", 300, 0.46, 0.52))
        >>> print(bought(Gains(points, (), (0.06, 0.041, 0.078), photos=4999, same_training=True)))
        Mean AP of the labels cleaned 0.400 → 0.460 (+6.0 points, +4.1 to +7.8), of all 0.500 → 0.520, with 300 decided.
    """
    first, last = gains.points[0], gains.points[-1]
    if len(gains.points) < 2:
        return (
            "What that bought is known when it was scored again: python -m tagger.clean step=score and the same data=…"
        )
    cleaned = f"Mean AP of the labels cleaned {figure(first.cleaned)} → {figure(last.cleaned)}"
    if gains.gained:
        value, low, high = (points(end) for end in gains.gained)
        cleaned += f" ({value} points, {low} to {high})"
    others = (
        "" if gains.same_training else " The scorings trained by other words, too: cleaning is not all that differs."
    )
    return f"{cleaned}, of all {figure(first.every)} → {figure(last.every)}, with {last.decided:,} decided.{others}"


def interval(share: Share) -> str:
    """Return a share with its interval, in per cent.

    Example:
        >>> from tagger.cleaning.report.accuracy import wilson_interval
        >>> interval(wilson_interval(90, 100)), interval(wilson_interval(0, 0))
        ('90 % (83–94)', '–')
    """
    if not share.of:
        return "–"
    return f"{percent(share.share, 0)} ({100 * share.low:.0f}–{100 * share.high:.0f})"


def _kinds(report: Report) -> Table:
    table = _table("asked because", "found", "decided", "open", "changed", "wrong, 95 %")
    for kind, progress in report.kinds.items():
        cells = (progress.found, progress.decided, progress.open, progress.changed)
        table.add_row(visible(kind), *(f"{cell:,}" for cell in cells), interval(progress.share))
    return table


def _labels(report: Report, *, shown: int) -> Table:
    gained = {one.label: one for one in report.gains.labels} if report.gains and len(report.gains.points) > 1 else {}
    table = _table("label", "found", "decided", "put on", "taken off", "AP before", "after")
    decided = [one for one in report.labels if one.total.decided]
    for one in decided[:shown]:
        total, gain = one.total, gained.get(one.label)
        cells = (total.found, total.decided, total.put_on, total.taken_off)
        aps = (figure(gain.before if gain else None), figure(gain.after if gain else None))
        table.add_row(Text(visible(one.label)), *(f"{cell:,}" for cell in cells), *aps)
    if len(decided) > shown:
        table.caption = f"the first {shown} of {len(decided)}"
    return table


def _annotators(report: Report, *, shown: int) -> Table:
    judge = "as judges say" if report.annotators.by_judges else "as others say"
    table = _table("annotator", "answers", "unsure", judge, "of")
    for one in report.annotators.people[:shown]:
        name = Text(visible(one.name)).append(" judge" if one.is_judge else "", style="dim")
        table.add_row(name, f"{one.answers:,}", f"{one.unsure:,}", interval(one.right), f"{one.right.of:,}")
    agreed = report.annotators.agreement
    if agreed.questions:
        table.caption = (
            f"Fleiss' kappa {figure(agreed.kappa)} of {agreed.questions:,} questions that {agreed.annotators} answered"
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption_justify="left")
    table.add_column(first, overflow="fold", min_width=12)
    for column in others:
        table.add_column(column, justify="right", no_wrap=True)
    return table
