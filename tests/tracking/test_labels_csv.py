"""labels.csv: what is written is what is read, and a spreadsheet runs none of it."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.tracking.label_result import LabelResult
from tagger.tracking.labels_csv import read_labels, write_labels

FOREST = LabelResult(
    id="scene.forest",
    names={"en": "forest", "zh": "森林"},
    train_count=250,
    ap=0.5,
    threshold=0.123456789,
    precision=0.75,
    recall=0.25,
    lower_bound=0.625,
    support=40,
    verdict="met",
    fallback="",
    val_precision=0.875,
    val_recall=0.375,
    val_support=38,
    train_absent=500,
)
POODLE = replace(
    FOREST, id="animal.poodle", names={"en": "poodle"}, ap=None, precision=None, recall=None, lower_bound=None
)


def test_a_row_holds_the_label_in_the_promised_order(tmp_path: Path):
    write_labels(tmp_path / "labels.csv", [FOREST, POODLE])
    assert (tmp_path / "labels.csv").read_bytes().decode("utf-8").split("\r\n") == [
        "id,name_en,name_zh,train_count,ap,threshold,precision,recall,lower_bound,support,verdict,"
        "fallback,val_precision,val_recall,val_support,train_absent,train_unknown",
        "scene.forest,forest,森林,250,0.5,0.123457,0.75,0.25,0.625,40,met,,0.875,0.375,38,500,",
        "animal.poodle,poodle,,250,,0.123457,,,,40,met,,0.875,0.375,38,500,",
        "",
    ]


def test_reading_gives_back_the_labels_to_six_digits(tmp_path: Path):
    write_labels(tmp_path / "labels.csv", [FOREST, POODLE])
    assert read_labels(tmp_path / "labels.csv") == [
        replace(FOREST, threshold=0.123457),
        replace(POODLE, threshold=0.123457),
    ]


def test_a_file_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path):
    write_labels(tmp_path / "labels.csv", [replace(FOREST, threshold=0.5)])
    saved = tmp_path / "saved.csv"
    saved.write_bytes(b"\xef\xbb\xbf" + (tmp_path / "labels.csv").read_bytes())
    assert read_labels(saved) == [replace(FOREST, threshold=0.5)]


def test_no_labels_are_a_file_with_a_header_only(tmp_path: Path):
    write_labels(tmp_path / "labels.csv", [])
    assert read_labels(tmp_path / "labels.csv") == []


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1"])
def test_a_name_that_would_be_a_formula_is_text_to_a_spreadsheet(tmp_path: Path, name: str):
    write_labels(tmp_path / "labels.csv", [replace(FOREST, names={"en": name})])
    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name_en"] for row in csv.DictReader(file)] == ["'" + name]
    assert read_labels(tmp_path / "labels.csv")[0].names == {"en": name}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.text("'=+-@\t\r\n,\"", min_size=1))
def test_any_name_is_read_as_it_was_written(tmp_path: Path, name: str):
    label = replace(FOREST, names={"en": name}, threshold=0.5)
    write_labels(tmp_path / "labels.csv", [label])
    assert read_labels(tmp_path / "labels.csv") == [label]


def test_a_cell_that_is_no_number_is_refused_with_its_place(tmp_path: Path):
    path = tmp_path / "labels.csv"
    write_labels(path, [FOREST, replace(FOREST, train_count=251)])
    path.write_text(path.read_text(encoding="utf-8").replace("251", "many"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"labels\.csv, line 3, column 'train_count': cannot read 'many'"):
        read_labels(path)


def test_a_missing_column_is_refused_by_name(tmp_path: Path):
    (tmp_path / "labels.csv").write_text("id,name_en\nscene.forest,forest\n")
    with pytest.raises(ValueError, match="line 1: column 'train_count' is missing"):
        read_labels(tmp_path / "labels.csv")


def test_a_short_row_is_refused_with_its_place(tmp_path: Path):
    write_labels(tmp_path / "labels.csv", [])
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("scene.forest,250\r\n")
    with pytest.raises(ValueError, match="line 2, column 'ap'"):
        read_labels(tmp_path / "labels.csv")


def test_a_failed_write_leaves_the_previous_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_labels(tmp_path / "labels.csv", [FOREST])
    before = (tmp_path / "labels.csv").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_labels(tmp_path / "labels.csv", [POODLE])
    assert (tmp_path / "labels.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]
