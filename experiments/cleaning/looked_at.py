"""Say how much of a queue is truly wrong, out of the verdicts of somebody who did not know what was a queue's.

    python experiments/cleaning/looked_at.py experiments/cleaning/corel5k_verdicts.csv

A verdict of absent on a label that is said to be present, or the other way round, is a wrong annotation. Unsure is
counted apart: it is neither in the shares of what was decided.
"""

import argparse
import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from tagger.cleaning.accuracy import wilson_interval

WRONG = {"missing": "present", "mistaken": "absent"}

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verdicts", type=Path)
    with parser.parse_args().verdicts.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print("| | | looked at | wrong | right | unsure | wrong, of the decided | expected wrong |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in WRONG:
        own = [row for row in rows if row["kind"] == kind]
        for name, belongs in GROUPS.items():
            print(line(kind, name, [row for row in own if belongs(row)]))


def line(kind: str, name: str, rows: list[Row]) -> str:
    """Return a row of the table."""
    wrong = sum(row["verdict"] == WRONG[kind] for row in rows)
    unsure = sum(row["verdict"] == "unsure" for row in rows)
    share = wilson_interval(wrong, len(rows) - unsure)
    chances = [float(row["chance"]) for row in rows if row["chance"]]
    # Decided ones only: of the others nobody can say whether the expectation was met.
    expected = f"{sum(chances):.1f} of {len(chances)}" if chances else ""
    within = f"{share.share:.0%} ({share.low:.0%}–{share.high:.0%})" if share.of else ""
    right = len(rows) - unsure - wrong
    return f"| {kind} | {name} | {len(rows)} | {wrong} | {right} | {unsure} | {within} | {expected} |".replace("%", " %")


def first(rank: str, depth: int) -> Callable[[Row], bool]:
    """Return whether a row is among the first of an order."""
    return lambda row: row[rank] != "" and int(row[rank]) <= depth


def only(rank: str, other: str) -> Callable[[Row], bool]:
    """Return whether a row is of one order's hundred and not of the other's."""
    return lambda row: row[rank] != "" and row[other] == ""


GROUPS: dict[str, Callable[[Row], bool]] = {
    **{f"queue, first {depth}": first("rank", depth) for depth in (25, 50, 100)},
    **{f"cleanlab's, first {depth}": first("rank_cleanlab", depth) for depth in (25, 50, 100)},
    "in the queue's hundred only": only("rank", "rank_cleanlab"),
    "in both hundreds": lambda row: row["rank"] != "" and row["rank_cleanlab"] != "",
    "in cleanlab's hundred only": only("rank_cleanlab", "rank"),
    "control: any pair": lambda row: "random" in row["control"],
    "control: the same labels": lambda row: "same labels" in row["control"],
}


def shares(rows: Iterable[Row]) -> None:
    """Print."""


if __name__ == "__main__":
    main()
