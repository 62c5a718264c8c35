"""``rules.csv``: what each relation did on the validation photos, a row per relation and label that it changes."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from tagger.atomic import write_text
from tagger.tags.relations.audit import Effect
from tagger.tracking.labels_csv import written


def write_audit(path: Path, effects: Sequence[Effect]) -> None:
    """Write a row per effect, its columns the fields of `Effect`, cells as in ``labels.csv``."""
    names = [field.name for field in fields(Effect)]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(names)
    table.writerows([written(getattr(effect, name)) for name in names] for effect in effects)
    write_text(path, text.getvalue())
