"""Simulated annotators: they fill in the table that ``step=export to=csv`` hands out, as people would."""

import csv
import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Truth = Mapping[tuple[str, str], bool]
"""Whether a label is on a photo, by the photo's path and the label's id."""


def fill_in(table: Path, filled: Path, truth: Truth, *, annotators: Sequence[str], accuracy: float, tasks: int) -> int:
    """Write a table with what annotators answer to its first tasks, each of them to all, and count the answers.

    Who fills in more of the same table later gives the same answers to what came before.

    Args:
        table: As exported.
        filled: The file to import.
        truth: What is right.
        annotators: Their names; the name decides which answers are wrong.
        accuracy: Share in [0, 1] of the answers that are right; the others say the opposite.
        tasks: How many are answered.
    """
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    right = {who: draw(who, len(rows), accuracy=accuracy) for who in annotators}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for place, row in enumerate(rows[:tasks]):
        is_there = truth[row["photo"], row["label"]]
        for who in annotators:
            verdict = "yes" if is_there == bool(right[who][place]) else "no"
            writer.writerow({**row, "verdict": verdict, "annotator": who})
    filled.write_text(text.getvalue(), encoding="utf-8")
    return len(rows[:tasks]) * len(annotators)


def draw(who: str, tasks: int, *, accuracy: float) -> np.ndarray:
    """Return which of their answers are right, boolean (tasks,); the first ones do not depend on how many there are."""
    return np.random.default_rng(zlib.crc32(who.encode())).random(tasks) < accuracy
