"""The study of experiments/cleaning: what it measures with, by hand."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tagger.cleaning.tasks.spreadsheet import COLUMNS, read_table

STUDY = Path(__file__).parents[2] / "experiments" / "cleaning"


@pytest.fixture
def study(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the study, which is no package."""
    spec = importlib.util.spec_from_file_location(f"study_{request.param}", STUDY / f"{request.param}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.csv"
    rows = [f"t{task:016x},,,dog,dog,missing,Is this on the photo: dog?,{task}.jpg,,,ab" for task in range(1000)]
    path.write_text("\ufeff" + "\n".join([",".join(COLUMNS), *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("study", ["annotators"], indirect=True)
def test_annotators_are_right_as_often_as_they_are_said_to_be(study: ModuleType, table: Path, tmp_path: Path) -> None:
    truth = {(f"{task}.jpg", "dog"): task % 3 == 0 for task in range(1000)}
    filled = tmp_path / "filled.csv"
    assert study.fill_in(table, filled, truth, annotators=["ann", "bob"], accuracy=0.9, tasks=1000) == 2000
    answers = list(read_table(filled.read_bytes(), "filled.csv"))
    said = {who: [one.verdict == "present" for one in answers if one.annotator == who] for who in ("ann", "bob")}
    wrong = {who: np.array(verdicts) != np.array(list(truth.values())) for who, verdicts in said.items()}
    for mistakes in wrong.values():
        assert 0.07 < mistakes.mean() < 0.13
    # Independent of each other: both are wrong in about a hundredth.
    assert (wrong["ann"] & wrong["bob"]).mean() < 0.03


@pytest.mark.parametrize("study", ["annotators"], indirect=True)
def test_who_goes_on_filling_in_a_table_does_not_change_the_first_answers(
    study: ModuleType, table: Path, tmp_path: Path
) -> None:
    truth = {(f"{task}.jpg", "dog"): True for task in range(1000)}
    files = tmp_path / "first.csv", tmp_path / "more.csv"
    for file, tasks in zip(files, (100, 300), strict=True):
        study.fill_in(table, file, truth, annotators=["ann"], accuracy=0.5, tasks=tasks)
    first, more = (file.read_text().splitlines() for file in files)
    assert len(first) == 101
    assert more[:101] == first


@pytest.mark.parametrize("study", ["queue_quality"], indirect=True)
def test_precision_and_recall_of_a_queue_by_hand(study: ModuleType) -> None:
    states, truth = np.array([[1, 0, -1, -1]]), np.array([[-1, 1, 1, -1]])
    missing = study.Pairs.of("missing", states, truth)
    found = list(missing.quality(np.array([0, 2, 1]), "some", (1, 2, 3, 4)))
    assert [(one.tasks, one.precision, one.recall) for one in found] == [(1, 1, 0.5), (2, 0.5, 0.5), (3, 2 / 3, 1)]
    (random,) = missing.at_random((2,))
    assert (random.precision, random.recall) == (2 / 3, 2 / 3)
    assert study.Pairs.of("missing, not unknown", states, truth).wrong.tolist() == [True, False]
    assert study.Pairs.of("mistaken", states, truth).wrong.tolist() == [True]
    assert study.Pairs.of("both", states, truth).wrong.tolist() == [True, True, True, False]
