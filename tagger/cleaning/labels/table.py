"""Which labels to clean, in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from tagger.cleaning.labels.ranked import LabelToClean
from tagger.pages.template import figure
from tagger.pages.visible import visible

COLOURS = {"dirty": "red", "starved": "yellow", "fine": "green"}


def labels_table(labels: Sequence[LabelToClean], *, shown: int) -> Table:
    """Return the first labels of the ranking, and how many of each reason there are."""
    counts = {reason: sum(label.reason == reason for label in labels) for reason in COLOURS}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
    table.title = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    table.add_column("label", overflow="fold", min_width=16)
    table.add_column("why", no_wrap=True)
    for column in ("photos", "AP", "its size", "below", "mistaken", "missing"):
        table.add_column(column, justify="right", no_wrap=True)
    for label in labels[:shown]:
        table.add_row(
            Text(visible(label.label)),
            Text(label.reason, style=COLOURS[label.reason]),
            f"{label.photos:,}",
            figure(label.ap),
            figure(label.expected_ap),
            figure(label.below, 1),
            figure(label.mistaken, 0),
            figure(label.missing, 0),
        )
    if len(labels) > shown:
        table.caption = f"the first {shown} of {len(labels)}"
    return table
