"""Tasks as a CSV for spreadsheets, and what people wrote into it.

A spreadsheet runs a cell that begins like a formula; a path or a label may. Such cells get an apostrophe in front. Task
ids get a ``t``: of hexadecimal digits that happen to be a number, such as 1e10, a spreadsheet makes another one.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from tagger.atomic import written_whole
from tagger.cleaning.tasks.task import Tasks
from tagger.cleaning.verdicts.answers import Answer, Problem
from tagger.errors import UserError
from tagger.pages.visible import visible

COLUMNS = (
    *("task_id", "verdict", "annotator", "label", "name", "kind", "question", "photo"),
    *("evidence", "definition", "catalog"),
)

WORDS = {
    **dict.fromkeys(("present", "yes", "y", "1", "true", "是"), "present"),
    **dict.fromkeys(("absent", "no", "n", "0", "false", "否"), "absent"),
    **dict.fromkeys(("unsure", "unknown", "u", "?", "不确定"), "unsure"),
}
"""What people may write into the column ``verdict``, in capitals or not."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%")


def cell(text: str) -> str:
    r"""Return text as a spreadsheet shows it and runs nothing, on one line.

    Example:
        >>> cell("=HYPERLINK(1)"), cell(" @sum"), cell("dog.jpg"), cell("a\tb")
        ("'=HYPERLINK(1)", "' @sum", 'dog.jpg', 'a\\tb')
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def write_table(tasks: Tasks, path: Path) -> None:
    """Write the tasks, one a row, in UTF-8 with the mark by which Excel knows it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for task in tasks:
        evidence = (
            *(task.label.id, task.name, task.kind, task.question, task.photo),
            *("; ".join(task.evidence), task.label.definition, tasks.catalog),
        )
        writer.writerow([f"t{task.id}", "", "", *map(cell, evidence)])
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(text.getvalue().encode("utf-8-sig", errors="backslashreplace"))


def read_table(content: bytes, name: str) -> Iterator[Answer | Problem]:
    """Yield what a table says, row by row; rows without a verdict say nothing.

    Any order of columns, and commas, semicolons or tabs between them. Without a column ``annotator``, or where it is
    empty, the annotator is left open.

    Raises:
        UserError: If it is no such table.
    """
    text = _text(content, name)
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    columns = [column.strip().lower() for column in rows.fieldnames or []]
    missing = [column for column in ("task_id", "verdict") if column not in columns]
    if missing:
        raise UserError(f"{name} has no column {missing[0]!r}: its first line must be {separator.join(COLUMNS[:3])}, …")
    rows.fieldnames = columns
    try:
        for row in rows:
            place = f"{name}, line {rows.line_num}"
            # Cells beyond the header are under None; those that are not there are None.
            words = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
            answer = words["verdict"].lower()
            if not answer:
                continue
            if answer not in WORDS:
                yield Problem(place, f"verdict {words['verdict']!r:.60} is none of yes, no, unsure")
                continue
            yield Answer(
                place=place,
                task=words["task_id"].removeprefix("'").removeprefix("t").lower(),
                verdict=WORDS[answer],
                annotator=words.get("annotator", ""),
                label=words.get("label", "") and _plain(words["label"]),
                catalog=words.get("catalog", ""),
            )
    except csv.Error as error:
        raise UserError(f"{name}, line {rows.line_num} is no line of a table: {error}") from error


def _plain(shown: str) -> str:
    """Return a cell without the apostrophe that :func:`cell` put in front."""
    return shown[1:] if shown.startswith("'") and cell(shown[1:]) == shown else shown


def _text(content: bytes, name: str) -> str:
    # Excel saves "Unicode text" as UTF-16.
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 at byte {error.start:,}: save it as CSV UTF-8") from error
