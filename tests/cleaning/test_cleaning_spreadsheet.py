"""The table as a spreadsheet sees it, and as people send it back."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.cleaning.tasks.spreadsheet import _plain, cell, read_table
from tagger.cleaning.verdicts.answers import Answer, Problem
from tagger.errors import UserError

Export = Callable[..., Any]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def read(text: str | bytes) -> list[Answer | Problem]:
    return list(read_table(text if isinstance(text, bytes) else text.encode(), "a.csv"))


def test_a_task_is_one_line_with_an_empty_verdict(export: Export, ids: list[str]) -> None:
    path = export("csv").path
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbftask_id,verdict,annotator,label,"), "Excel knows UTF-8 by its mark"
    assert content.count(b"\r\n") == len(content.splitlines()) == 8
    written = rows(path)
    assert [row["task_id"] for row in written] == [f"t{id_}" for id_ in ids]
    assert {row["verdict"] for row in written} == {""}
    assert (
        written[0]["evidence"]
        == "now unknown; the model gives 0.90, among its five best; 70 % of the nearest photos have it"
    )
    assert written[0]["definition"] == "A dog of any breed. Wolves do not count."


def test_no_cell_is_a_formula(export: Export) -> None:
    written = rows(export("csv").path)
    assert written[5]["label"] == "'=2+5"
    assert not [text for row in written for text in row.values() if text.lstrip().startswith(("=", "+", "-", "@"))]


@given(st.text(max_size=20))
def test_any_text_is_a_cell_that_runs_nothing_and_is_read_back(text: str) -> None:
    shown = cell(text)
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%"))
    assert "\n" not in shown
    if text.isprintable():
        assert _plain(shown) == text


def test_what_people_write_is_understood() -> None:
    table = "task_id,verdict,annotator\nt0a,YES,ann\nt0b, n ,ann\n0c,?,ann\nt0d,,ann\nt0e,是,ann\n"
    said = read(table)
    assert [(one.task, one.verdict) for one in said if isinstance(one, Answer)] == [
        ("0a", "present"),
        ("0b", "absent"),
        ("0c", "unsure"),
        ("0e", "present"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_ways_in_which_spreadsheets_save_are_read(separator: str, encoding: str) -> None:
    lines = [["annotator", "task_id", "verdict"], ["Zoë", "t0a", "yes"]]
    text = "\r\n".join(separator.join(line) for line in lines)
    (said,) = read(text.encode(encoding))
    assert isinstance(said, Answer)
    assert (said.task, said.verdict, said.annotator) == ("0a", "present", "Zoë")


def test_a_word_that_is_no_verdict_is_named_with_its_line() -> None:
    assert read("task_id,verdict\nt0a,maybe\n") == [
        Problem("a.csv, line 2", "verdict 'maybe' is none of yes, no, unsure")
    ]


def test_a_short_or_a_long_line_is_read_as_far_as_it_goes() -> None:
    said = read("task_id,verdict,annotator\nt0a,yes\nt0b\nt0c,no,ann,more,and more\n")
    assert [(one.task, one.annotator) for one in said if isinstance(one, Answer)] == [("0a", ""), ("0c", "ann")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"photo,verdict\n", "has no column 'task_id': its first line must be task_id,verdict,annotator, …"),
        (b"", "has no column 'task_id'"),
        ("task_id,verdict\nt0a,s\xed\n".encode("latin-1"), "is not UTF-8 at byte 21: save it as CSV UTF-8"),
        (b'task_id,verdict\nt0a,"' + b"x" * 200_000, "is no line of a table"),
    ],
)
def test_what_is_no_such_table_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(content)
