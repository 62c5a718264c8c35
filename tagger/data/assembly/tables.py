"""What an assembly found, as tables for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table

from tagger.data.assembly.assemble import Assembly
from tagger.data.taxonomy import Taxonomy

FEW = 12
"""Rows of a list in the terminal; the data card has all of them."""


def assembly_tables(assembly: Assembly, taxonomy: Taxonomy, *, written: bool) -> list[RenderableType]:
    """Return what came in, or would come in, and what was dropped and why."""
    tables: list[RenderableType] = [_sources(assembly, written=written)]
    names = [
        (name, word, f"{count:,}", taxonomy.nearest(word, name) or "")
        for name, report in assembly.reports.items()
        for word, count in sorted(report.unmapped.items(), key=lambda item: -item[1])
    ]
    tables += _listed("Names that no label claims", ("source", "name", "said", "nearest"), names)
    left_out = [
        (name, f"{len(report.left_out):,}", f"{sum(report.left_out.values()):,}", ", ".join(list(report.left_out)[:4]))
        for name, report in assembly.reports.items()
        if report.left_out
    ]
    tables += _listed("Names that the taxonomy leaves out on purpose", ("source", "names", "said", "such as"), left_out)
    skipped = [
        (name, reason, f"{count:,}", ", ".join(report.skipped.examples[reason][:2]))
        for name, report in assembly.reports.items()
        for reason, count in report.skipped.counts.most_common()
    ]
    tables += _listed("Left out", ("source", "reason", "times", "for instance"), skipped)
    tables += _listed("The same photo in two sources", ("photo", "is"), assembly.same_look)
    disputed = [
        (str(one.photo), one.label, ", ".join(one.present), ", ".join(one.absent)) for one in assembly.contradictions
    ]
    tables += _listed(
        "Contradictions, unknown until a person decides", ("photo", "label", "present", "absent"), disputed
    )
    return tables


def _sources(assembly: Assembly, *, written: bool) -> Table:
    table = _table("What came in" if written else "What would come in; nothing was written")
    table.add_column("source", no_wrap=True)
    for column in ("photos", "new", "present", "absent", "opinions", "added", "dropped"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, report in assembly.reports.items():
        dropped = [*report.unmapped.values(), *report.left_out.values(), report.skipped.counts.total()]
        said = [report.statements[kind] for kind in ("present", "absent", "opinion")]
        numbers = (report.photos, report.new, *said, report.added, sum(dropped))
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
