"""Runs are read from their folders; what is wrong with one is named, with the way out."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tagger.errors import UserError
from tagger.studies.comparison.comparison import Settings, compare
from tagger.studies.comparison.named_runs import named_runs
from tagger.studies.comparison.runs import Run, read_run, read_runs

Made, Written = Callable[..., Run], Callable[[Run], Path]


@pytest.fixture
def folder(made_run: Made, written_run: Written) -> Path:
    return written_run(made_run(np.full((3, 2), 0.5), np.eye(3, 2)))


def test_what_is_read_is_what_was_written(folder: Path):
    run = read_run(folder)
    assert (run.version, run.seed, run.ids) == ("v1.0", 0, ["label0", "label1"])
    assert run.photos.tolist() == ["images/0000.jpg", "images/0001.jpg", "images/0002.jpg"]
    assert run.states.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert read_run(folder, version="mine").version == "mine"


def test_runs_in_which_unknown_weighs_by_label_are_read_and_compared(made_run: Made, written_run: Written):
    rng = np.random.default_rng(0)
    states = np.where(rng.random((40, 2)) < 0.3, 0, np.where(rng.random((40, 2)) < 0.5, 1, -1))
    weights = np.tile(np.array([[1.0, 0.0]], np.float32), (40, 1))
    runs = {
        version: [read_run(written_run(made_run(rng.random((40, 2)), states, version=version, unknown=weights)))]
        for version in ("v1.0", "v2.0")
    }
    assert runs["v2.0"][0].unknown.shape == (40, 2)
    compared = compare(runs, baseline="v1.0", settings=Settings(resamples=20, least_photos=3))
    # The second label's unknown photos count for nothing: as if they were not there.
    known = states[:, 1] != 0
    expected = average_precision_score(states[known, 1] == 1, runs["v2.0"][0].scores[known, 1])
    assert compared.versions["v2.0"].labels[1].ap == pytest.approx(expected, abs=1e-6)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def garbage(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(b"\x00{garbage")


def old_scores(folder: Path) -> None:
    np.savez(folder / "test_scores.npz", rows=np.arange(3), scores=np.ones((3, 2)), states=np.ones((3, 2)))


def other_scores(folder: Path) -> None:
    arrays: dict[str, Any] = {"states": np.ones((3, 2)), "unknown": np.ones(3)}
    np.savez(folder / "test_scores.npz", scores=np.ones((3, 5)), photos=["a", "b", "c"], roots=["/"] * 3, **arrays)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("metrics.json"), "did not finish: it has no metrics.json; go on with it"),
        (remove("config.yaml"), "is not the folder of a run: it has no config.yaml"),
        (remove("run.json"), "run.json does not say the run's experiment: an older release wrote it"),
        (remove("labels.csv"), "labels.csv cannot be read"),
        (remove("test_scores.npz"), "test_scores.npz cannot be read"),
        (garbage("test_scores.npz"), "test_scores.npz cannot be read"),
        (garbage("run.json"), "run.json cannot be read"),
        (garbage("metrics.json"), "metrics.json cannot be read"),
        (garbage("config.yaml"), "config.yaml cannot be read"),
        (old_scores, "test_scores.npz has no unknown"),
        (other_scores, "scores has shape (3, 5), but its photos and labels.csv say (3, 2)"),
        (lambda folder: (folder / "run.json").write_text("[]"), "run.json must hold a mapping"),
    ],
)
def test_a_damaged_run_is_named_with_the_way_out(folder: Path, damage: Callable[[Path], None], message: str):
    damage(folder)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_run(folder)
    assert str(folder) in str(caught.value)


def test_a_folder_of_runs_is_not_a_run(folder: Path):
    with pytest.raises(UserError, match=re.escape(f"it holds 1 runs, name them or write {folder.parent}/*")):
        read_run(folder.parent)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="there is no such folder"):
        read_run(tmp_path / "nowhere")


def test_a_version_has_one_run_of_a_seed(folder: Path):
    with pytest.raises(UserError, match=re.escape("v1.0 has two runs of seed 0")):
        read_runs({"v1.0": [folder, folder]})
    with pytest.raises(UserError, match=re.escape("v1.0 has no run")):
        read_runs({"v1.0": []})


# --- what a user calls them -----------------------------------------------------------------------------------------


def named(runs: Any, tmp_path: Path) -> dict[str, list[Path]]:
    return named_runs(runs, uri=f"sqlite:///{tmp_path}/mlflow.db", downloads=tmp_path)


def test_runs_are_named_by_version_or_know_their_own(made_run: Made, written_run: Written, tmp_path: Path):
    scores, states = np.full((3, 2), 0.5), np.eye(3, 2)
    one, two, other = (
        written_run(made_run(scores, states, version=version, seed=seed))
        for version, seed in (("v1.0", 0), ("v1.0", 1), ("v2.0", 0))
    )
    assert named({"a": str(one), "b": [str(two), str(other)]}, tmp_path) == {"a": [one], "b": [two, other]}
    assert named([str(other), str(one), str(two)], tmp_path) == {"v2.0": [other], "v1.0": [one, two]}
    assert named({"a": f"{one.parent}/*"}, tmp_path) == {"a": [one, two]}
    (two / "metrics.json").unlink()
    assert named({"a": f"{one.parent}/*"}, tmp_path) == {"a": [one]}, "of a pattern, the finished ones"
    (one / "metrics.json").unlink()
    with pytest.raises(UserError, match="of 2 files and folders that match, none is that of a finished run"):
        named({"a": f"{one.parent}/*"}, tmp_path)


@pytest.mark.parametrize("runs", [3, [3], {"a": {"b": "c"}}])
def test_what_names_no_runs_is_shown(runs: Any, tmp_path: Path):
    with pytest.raises(UserError, match="must be a mapping from versions to run folders, or a list"):
        named(runs, tmp_path)


def test_what_a_listed_folder_lacks_is_said_as_of_a_named_one(folder: Path, tmp_path: Path):
    with pytest.raises(UserError, match="there is no such folder"):
        named([str(tmp_path / "nowhere")], tmp_path)
    with pytest.raises(UserError, match="it holds 1 runs, name them"):
        named(str(folder.parent), tmp_path)
    for left in ("metrics.json", "run.json"):
        (folder / left).unlink()
    with pytest.raises(UserError, match="did not finish"):
        named([str(folder)], tmp_path)


def test_run_json_of_an_older_release_is_told_apart_from_a_damaged_one(folder: Path):
    (folder / "run.json").write_text(json.dumps({"mlflow_run_id": "3f"}))
    with pytest.raises(UserError, match="train the run again, and it will"):
        read_run(folder)
