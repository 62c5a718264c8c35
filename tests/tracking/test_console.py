"""The closing table says how the run went within 80 columns."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tagger.tracking.console import export_command, print_closing
from tagger.tracking.label_result import LabelResult

LABEL = LabelResult(
    id="scene.label",
    names={"en": "label"},
    train_count=250,
    ap=0.5,
    threshold=0.4,
    precision=0.75,
    recall=0.25,
    lower_bound=0.625,
    support=40,
    verdict="met",
    fallback="",
    val_precision=0.875,
    val_recall=0.375,
    val_support=38,
)
METRICS = {
    "test/map": 0.4605,
    "test/map_head": 0.66,
    "test/map_medium": 0.49,
    "test/map_tail": float("nan"),
    "test/labels_counted": 29.0,
}


def closing(labels: list[LabelResult], *, colour: bool = False) -> str:
    written = io.StringIO()
    terminal = Console(file=written, width=80, force_terminal=colour, color_system="standard" if colour else None)
    print_closing(METRICS, labels, run_folder=Path("runs/v1.0"), console=terminal)
    return written.getvalue()


def test_it_shows_the_headline_the_groups_the_verdicts_and_the_files():
    text = closing([LABEL, replace(LABEL, verdict="certified"), LABEL])
    assert "0.461" in text
    assert "29 of 3 labels counted" in text
    assert "head 0.660 · medium 0.490 · tail –" in text
    assert "micro – · macro –" in text
    assert "1 certified · 2 met · 0 unreachable" in text
    assert "Nobody has measured how many labels of the test fold are wrong" in " ".join(text.split())
    assert str(Path("runs/v1.0/report.html")) in text
    assert str(Path("runs/v1.0/labels.csv")) in text
    assert "deliver  python -m tagger.export checkpoint=runs/v1.0/checkpoints/best.ckpt" in text


def test_the_command_that_delivers_a_run_replaces_no_bundle_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "extend" / "1"
    assert export_command(run).endswith("checkpoint=runs/extend/1/checkpoints/best.ckpt bundle=album.tagger")
    Path("album.tagger").touch()
    assert export_command(run).endswith("bundle=extend.tagger")


def test_it_shows_the_best_and_the_worst_labels_only():
    text = closing([replace(LABEL, id=f"scene.n{i:02}", ap=i / 30) for i in range(30)])
    shown = [word for word in text.split() if word.startswith("scene.")]
    assert shown == [f"scene.n{i:02}" for i in [29, 28, 27, 26, 25, 4, 3, 2, 1, 0]]


def test_few_labels_are_all_shown_once_and_one_without_answer_is_left_out():
    text = closing(
        [
            replace(LABEL, id="scene.a", ap=0.1),
            replace(LABEL, id="scene.b", ap=None),
            replace(LABEL, id="scene.c", ap=0.9),
        ]
    )
    assert [word for word in text.split() if word.startswith("scene.")] == ["scene.c", "scene.a"]


def test_no_labels_are_no_crash():
    assert "0 certified" in closing([])


def test_no_line_is_wider_than_the_terminal_however_long_the_ids():
    text = closing([replace(LABEL, id="scene." + "long_" * 30, train_count=1_000_000)])
    *lines, deliver = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert deliver.startswith("deliver  python"), "the command is there to be copied, and is not folded"
    assert "met" in text


def test_an_id_can_neither_colour_nor_command_the_terminal():
    text = closing([replace(LABEL, id="[red]x[/red]\x1b]0;title\x07")], colour=True)
    assert "[red]x[/red]" in text
    assert "\x1b]0;" not in text
    assert "\\x1b]0;" in text


def test_it_says_what_the_relations_did_if_there_were_any():
    given = {"given_tags": 40.0, "given_true": 30.0, "given_false": 2.0, "given_unknown": 8.0, "taken_tags": 3.0}
    counts = {
        f"rules/{name}": count for name, count in (given | {"relations": 335.0, "harmful": 2.0, "used": 335.0}).items()
    }
    written = io.StringIO()
    print_closing(METRICS | counts, [LABEL], run_folder=Path("runs"), console=Console(file=written, width=80))
    assert "relations  +40 tags (30 true, 2 false, 8 unknown), −3 · 2 of 335 harm" in written.getvalue()
    assert "relations" not in closing([LABEL])
