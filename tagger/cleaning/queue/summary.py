"""What is in the queue, in the terminal."""

import pyarrow as pa
import pyarrow.compute as pc
from rich import box
from rich.table import Table
from rich.text import Text

from tagger.cleaning.queue.table import MISSING, MISTAKEN
from tagger.pages.visible import visible


def queue_summary(queue: pa.Table, *, shown: int) -> Table:
    """Return a row for each label and kind: tasks, and how many annotations the calibrated scores expect to be wrong.

    Args:
        queue: Rows of ``QUEUE_SCHEMA``.
        shown: Rows, those with the most tasks.
    """
    # Of what was drawn at random nothing is expected, and of what searches found no score was calibrated.
    judged = queue.filter(pc.is_in(queue["kind"], pa.array([MISSING, MISTAKEN])))
    judged = judged.append_column("wrong", pc.add(judged["margin"], 0.5))
    judged = judged.append_column("open", pc.equal(judged["state"], 0))
    asked = judged.group_by(["label", "kind"]).aggregate([("task_id", "count"), ("wrong", "sum"), ("open", "sum")])
    asked = asked.sort_by([("task_id_count", "descending"), ("label", "ascending"), ("kind", "ascending")])
    kinds = pc.value_counts(queue["kind"]).to_pylist()
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left", show_header=len(asked) > 0
    )
    table.title = ", ".join(f"{kind['counts']:,} {kind['values']}" for kind in kinds) or "nothing to ask"
    table.add_column("label", overflow="fold", min_width=16)
    table.add_column("kind", no_wrap=True)
    for column in ("tasks", "unknown", "expected wrong"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in asked.slice(0, shown).to_pylist():
        wrong = "–" if row["wrong_sum"] is None else f"{row['wrong_sum']:.0f}"
        figures = (f"{row['task_id_count']:,}", f"{row['open_sum']:,}", wrong)
        table.add_row(Text(visible(row["label"])), row["kind"], *figures)
    if len(asked) > shown:
        table.caption = (
            f"the first {shown} of {len(asked)}; in all {pc.sum(judged['wrong']).as_py() or 0:.0f} expected wrong"
        )
    return table
