"""``detector.csv``: what a detector gives each label that it has a class for, a row per label."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from tagger.atomic import write_text
from tagger.tags.detector.choosing import Choice
from tagger.tracking.labels_csv import written


def write_choices(path: Path, choices: Sequence[Choice]) -> None:
    """Write a row per label, its columns the fields of `Choice`, cells as in ``labels.csv``."""
    names = [field.name for field in fields(Choice)]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(names)
    table.writerows([written(getattr(choice, name)) for name in names] for choice in choices)
    write_text(path, text.getvalue())
