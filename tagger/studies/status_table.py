"""How a study stands, in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from tagger.pages.visible import visible
from tagger.studies.job import map_on_test
from tagger.studies.running import clock
from tagger.studies.status import JobStatus
from tagger.tracking.console import number

COLOURS = {"finished": "green", "failed": "red", "hung": "red", "cut": "yellow"}


def status_table(statuses: Sequence[JobStatus]) -> Table:
    """Return a row for every run of the study: what became of it, its test mAP, how long it took, and why not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("version", no_wrap=True)
    table.add_column("seed", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("test mAP", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in sorted(
        statuses, key=lambda one: list(dict.fromkeys(each.job.version for each in statuses)).index(one.job.version)
    ):
        table.add_row(
            one.job.version,
            str(one.job.seed),
            Text(one.state, style=COLOURS.get(one.state, "")),
            number(map_on_test(one.run)) if one.run else "",
            clock(one.attempt.seconds) if one.attempt else "",
            # As Text, not markup: an error may speak of "[red]".
            Text(visible(one.reason)),
        )
    return table
