"""What came of the ten turns, in the terminal."""

from rich import box
from rich.table import Table

from tagger.cleaning.scoring.scores import Scores
from tagger.tracking.console import number


def scoring_table(scores: Scores) -> Table:
    """Return a row per turn with its mAP: a turn far from the others is one to look into."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("turn", "val mAP", "test mAP"):
        table.add_column(column, justify="right", no_wrap=True)
    for turn in scores.facts["turns"]:
        table.add_row(str(turn["turn"]), number(turn["val_map"]), number(turn["test_map"]))
    return table
