"""What an assembly found, as tables for the terminal."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tagger.data.assembly.assemble import Assembly, SourceReport
from tagger.data.taxonomy import Names, Taxonomy

FEW = 12
"""Rows of a list in the terminal; the data card has all of them."""


def assembly_tables(assembly: Assembly, taxonomy: Taxonomy, *, written: bool) -> list[RenderableType]:
    """Return what came in, or would come in, and what was dropped and why."""
    tables: list[RenderableType] = [_sources(assembly, written=written)]
    names = [
        (name, repr(word), f"{count:,}", advice)
        for name, report in assembly.reports.items()
        for word, count, advice in _unmapped(report, taxonomy)
    ]
    tables += _listed("Names that no label claims", ("source", "name", "times", "perhaps"), names)
    spelled = [
        (name, spelling, f"{count:,}")
        for name, report in assembly.reports.items()
        for spelling, count in sorted(report.spelled.items(), key=lambda item: -item[1])
    ]
    tables += _listed("Names read in another spelling", ("source", "name", "times"), spelled)
    left_out = [
        (name, f"{len(report.left_out):,}", f"{sum(report.left_out.values()):,}", ", ".join(list(report.left_out)[:4]))
        for name, report in assembly.reports.items()
        if report.left_out
    ]
    tables += _listed(
        "Names that the taxonomy leaves out on purpose", ("source", "names", "times", "such as"), left_out
    )
    tables += _listed(
        "Files that were changed: they are other photos now", ("photo",), [(name,) for name in assembly.changed]
    )
    tables += _listed("The same photo in two sources", ("photo", "is"), assembly.same_look)
    disputed = [
        (str(one.photo), one.label, ", ".join(one.present), ", ".join(one.absent)) for one in assembly.contradictions
    ]
    tables += _listed(
        "Contradictions, unknown until a person decides", ("photo", "label", "present", "absent"), disputed
    )
    tables += [Text(assembly.copies.sentence())] if assembly.copies.groups else []
    return [*tables, *(Text(line, style="yellow") for line in _remarks(assembly))]


def _unmapped(report: SourceReport, taxonomy: Taxonomy) -> list[tuple[str, int, str]]:
    """Return the names that no label claims, the most frequent first, and what the first of them may be."""
    names = Names(taxonomy, report.vocabulary)
    most = sorted(report.unmapped.items(), key=lambda item: -item[1])
    return [(word, count, names.advice(word) if place < FEW else "") for place, (word, count) in enumerate(most)]


def _remarks(assembly: Assembly) -> Iterator[str]:
    """Yield what wants a look, in sentences."""
    for name, report in assembly.reports.items():
        if report.left_open:
            yield (
                f"{name}: on {report.left_open:,} photos what is not listed stays unknown, because something is listed "
                "there that no label claims; list such names under sources of a label, or under left_out"
            )
        if report.nowhere:
            first = ", ".join(report.nowhere[:8]) + (", …" if len(report.nowhere) > 8 else "")
            yield (
                f"{name}: {len(report.nowhere):,} labels are listed on no photo and count as absent on all: {first}. "
                "If people did not look for all labels, give the names that they looked for: looked_for=[…]"
            )
        if report.shrunk:
            yield (
                f"warning: {name}: {report.shrunk}. Was a file cut off, a part left out, a folder renamed? "
                "undo=<its batch> brings them back"
            )


def _sources(assembly: Assembly, *, written: bool) -> Table:
    table = _table("What came in" if written else "What would come in; nothing was written")
    table.add_column("source", no_wrap=True)
    for column in ("photos", "new", "gone", "present", "absent", "opinions", "added", "withdrawn", "dropped"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, report in assembly.reports.items():
        dropped = [*report.unmapped.values(), *report.left_out.values(), report.skipped.counts.total()]
        counts = [report.statements[kind] for kind in ("present", "absent", "opinion")]
        numbers = (report.photos, report.new, report.gone, *counts, report.added, report.withdrawn, sum(dropped))
        table.add_row(name, *(f"{number:,}" for number in numbers))
    return table


def _listed(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[RenderableType]:
    if not rows:
        return []
    more = f" (the first {FEW} of {len(rows):,})" if len(rows) > FEW else ""
    table = _table(f"{title}{more}")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows[:FEW]:
        table.add_row(*row)
    return [table]


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
