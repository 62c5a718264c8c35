"""``labels.csv``: one row per label, for spreadsheets, pandas and people.

RFC 4180 in UTF-8 (lines end in CR LF, as the csv module and the RFC have it). ``None`` is an empty cell. Floats have
six significant digits: enough to read and compare; the exact thresholds are in the checkpoint.

Display names come from label files that others wrote, and a spreadsheet runs a cell such as ``=HYPERLINK(…)`` as a
formula. A text cell that would begin one therefore gets an apostrophe in front, as OWASP advises ("CSV injection"), and
:func:`read_labels` takes it off again; a text that already has apostrophes before the sign gets one more, so that
what was written is what is read.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tagger.atomic import write_text
from tagger.tracking.label_result import LabelResult

Cell = str | int | float | None

# Full-width signs start formulas too where the spreadsheet's locale is East Asian.
SIGN = "[=+\\-@＝＋－＠\t\r\n]"
FORMULA = re.compile(f"'*{SIGN}")
GUARDED = re.compile(f"'+{SIGN}")

READ: dict[Any, Callable[[str], Any]] = {
    str: lambda cell: cell[1:] if GUARDED.match(cell) else cell,
    int: int,
    float: float,
    int | None: lambda cell: None if cell == "" else int(cell),
    float | None: lambda cell: None if cell == "" else float(cell),
}


def write_labels(path: Path, labels: Sequence[LabelResult]) -> None:
    """Write the labels in the order given, or leave the previous file as it was.

    Columns: id, one ``name_<language>`` per language found (English first), then the other fields of
    :class:`LabelResult` in their order. A label without a name in a language has an empty cell there.
    """
    languages = sorted(
        {language for label in labels for language in label.names}, key=lambda code: (code != "en", code)
    )
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(header(languages))
    for label in labels:
        cells = [label.id, *(label.names.get(language, "") for language in languages)]
        cells += [getattr(label, name) for name in LabelResult.columns() if name not in ("id", "names")]
        table.writerow([written(cell) for cell in cells])
    write_text(path, text.getvalue())


def header(languages: Sequence[str]) -> list[str]:
    """Return the column titles.

    Example:
        >>> header(["en", "zh"])[:4]
        ['id', 'name_en', 'name_zh', 'train_count']
    """
    rest = [name for name in LabelResult.columns() if name not in ("id", "names")]
    return ["id", *(f"name_{language}" for language in languages), *rest]


def written(cell: Cell) -> str:
    """Return the text of one cell.

    Example:
        >>> written(None), written(0.1234567), written(250), written("=1+1"), written("tree")
        ('', '0.123457', '250', "'=1+1", 'tree')
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float):
        return f"{cell:.6g}"
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and FORMULA.match(text) else text


def read_labels(path: Path) -> list[LabelResult]:
    """Read what :func:`write_labels` wrote, also after a spreadsheet has saved it with a byte order mark.

    Raises:
        ValueError: If a column is missing, or a cell does not hold what its column promises; says where.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in header([]) if name not in (rows.fieldnames or [])]
        if missing:
            raise ValueError(f"{path}, line 1: column {missing[0]!r} is missing")
        return [label_of(row, where=f"{path}, line {rows.line_num}") for row in rows]


def label_of(row: dict[str, str], *, where: str) -> LabelResult:
    """Return the label of one row; ``where`` begins the message if a cell cannot be read."""
    values: dict[str, Any] = {}
    for field in fields(LabelResult):
        if field.name == "names":
            continue
        try:
            values[field.name] = READ[field.type](row[field.name])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}, column {field.name!r}: cannot read {row[field.name]!r}: {error}") from error
    names = {title[5:]: READ[str](cell) for title, cell in row.items() if title and title.startswith("name_") and cell}
    return LabelResult(names=names, **values)
