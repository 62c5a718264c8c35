"""Say how much of a queue is truly wrong, out of the verdicts of somebody who did not know what was a queue's.

    python experiments/cleaning/looked_at.py experiments/cleaning/corel5k_verdicts.csv

A verdict of absent on a label that is said to be present, or the other way round, is a wrong annotation. Unsure is
counted apart: it is in none of the shares.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

from tagger.cleaning.report.accuracy import wilson_interval

WRONG = {"missing": "present", "mistaken": "absent"}
"""Verdict that makes an annotation wrong."""

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verdicts", type=Path)
    with parser.parse_args().verdicts.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for kind in WRONG:
        print(f"\n| {kind} | judged | wrong | right | unsure | wrong, of the decided | expected of these |")
        print("|---|---|---|---|---|---|---|")
        for name, (belongs, chance) in GROUPS.items():
            own = [row for row in rows if row["kind"] == kind and belongs(row)]
            if own:
                print(line(name, kind, own, chance))


def line(name: str, kind: str, rows: list[Row], chance: str | None) -> str:
    """Return a row of the table."""
    decided = [row for row in rows if row["verdict"] != "unsure"]
    wrong = sum(row["verdict"] == WRONG[kind] for row in decided)
    share = wilson_interval(wrong, len(decided))
    # Of those decided only: of the others nobody can say whether the expectation was met.
    expected = f"{sum(float(row[chance]) for row in decided):.0f}" if chance else ""
    cells = (name, len(rows), wrong, len(decided) - wrong, len(rows) - len(decided))
    found = f"{share.share:.0%} ({share.low:.0%} to {share.high:.0%})".replace("%", " %")
    return " | ".join(["", *map(str, cells), found, expected, ""]).strip()


def first(rank: str, depth: int) -> Callable[[Row], bool]:
    """Return whether a row is among the first of an order."""
    return lambda row: row[rank] != "" and int(row[rank]) <= depth


def only(rank: str, other: str) -> Callable[[Row], bool]:
    """Return whether a row is of one order's hundred and not of the other's."""
    return lambda row: row[rank] != "" and row[other] == ""


GROUPS: dict[str, tuple[Callable[[Row], bool], str | None]] = {
    **{f"queue, first {depth}": (first("rank", depth), "chance") for depth in (25, 50, 100)},
    **{f"cleanlab, first {depth}": (first("rank_cleanlab", depth), None) for depth in (25, 50, 100)},
    "in both hundreds": (lambda row: row["rank"] != "" and row["rank_cleanlab"] != "", None),
    "in the queue's only": (only("rank", "rank_cleanlab"), None),
    "in cleanlab's only": (only("rank_cleanlab", "rank"), None),
    **{f"own share, first {depth}": (first("rank_own", depth), "chance_own") for depth in (25, 50, 100)},
    "own share, judged anew": (lambda row: row["rank_own"] != "" and row["round"] == "2", "chance_own"),
    "control: any pair": (lambda row: "random" in row["control"], None),
    "control: same labels": (lambda row: "same labels" in row["control"], None),
    "control: own share's labels": (lambda row: "own share's labels" in row["control"], None),
    "test fold, at random": (lambda row: row["control"] == "test fold", None),
}
"""Whether a row belongs, and the column of what was expected of it."""


if __name__ == "__main__":
    main()
