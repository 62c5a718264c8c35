"""Mined relations as a table: ``relations.csv`` with all of them, the terminal with the first."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tagger.atomic import write_text
from tagger.mining.relations.finding import Finding, Tally
from tagger.pages.template import figure
from tagger.pages.visible import visible
from tagger.tracking.labels_csv import written

SIGNS = {"implies": "⇒", "excludes": "⊥", "correlates": "~"}

COLOURS = {"known": "dim", "new": "cyan", "contradicting": "red"}


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write a row per finding, its columns the fields of `Finding`, cells as in ``labels.csv``."""
    names = [field.name for field in fields(Finding)]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(names)
    table.writerows([written(getattr(finding, name)) for name in names] for finding in findings)
    write_text(path, text.getvalue())


def relations_table(findings: Sequence[Finding], *, shown: int) -> list[RenderableType]:
    """Return how many there are of each standing, and the first of those that want a look: new ones, contradictions."""
    wanted = [finding for finding in findings if finding.is_suggested or finding.is_against]
    tally = Tally.of(findings)
    counts = [
        f"{tally.suggested} suggested",
        f"{tally.confirmed} known and confirmed",
        f"{tally.against} against the label system",
        f"{tally.open} stated, too little seen",
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("relation", overflow="fold", min_width=22)
    table.add_column("label system", no_wrap=True)
    for column in ("photos", "of", "at least", "lift"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold", min_width=8)
    for finding in wanted[:shown]:
        against = finding.taxonomy == "known"
        note = "; ".join(filter(None, ["annotations say otherwise" if against else finding.note, finding.elsewhere]))
        table.add_row(
            Text(f"{visible(finding.label)}\n{SIGNS[finding.kind]} {visible(finding.other)}"),
            Text(finding.taxonomy, style="red" if against else COLOURS[finding.taxonomy]),
            figure(finding.together, 0),
            figure(finding.photos, 0),
            figure(finding.confidence_low, 2) if finding.kind == "implies" else "–",
            figure(finding.lift, 1),
            Text(visible(note)),
        )
    if len(wanted) > shown:
        table.caption = f"the first {shown} of {len(wanted)}"
    # Not Table.title: it is as wide as the table, and would be broken.
    return [Text(", ".join(counts)), table] if wanted else [Text(", ".join(counts))]
