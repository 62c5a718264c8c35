import os
import sys
import zipfile
from pathlib import Path
from signal import SIGKILL

import pytest
from omegaconf import DictConfig, OmegaConf

from tagger.tracking.run_folder import ResumeError, RunFolder, close_run, open_run, provenance


def config(runs: Path, **changes: object) -> DictConfig:
    return OmegaConf.create({"name": "mine", "seed": 0, "runs": str(runs), "resume": False, "plan": False, **changes})


@pytest.fixture(autouse=True)
def _forget() -> None:
    close_run()


def start(settings: DictConfig) -> Path:
    run = open_run(settings)
    close_run()
    return run.path


def finish(folder: Path) -> None:
    """Leave what a run leaves whose logger has been given everything."""
    (folder / "metrics.json").write_text("{}")
    RunFolder(folder, resumed=False).remember(delivered=True)


def write_archive(checkpoint: Path) -> None:
    with zipfile.ZipFile(checkpoint, "w") as file:
        file.writestr("data.pkl", b"state")


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    first, second = start(config(tmp_path)), start(config(tmp_path))
    assert first != second
    assert {first.parent, second.parent} == {tmp_path / "mine"}


def test_a_run_that_is_killed_while_its_folder_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (child := os.fork()):
        monkeypatch.setattr("tagger.tracking.run_folder.settings_of", lambda config: os.kill(os.getpid(), SIGKILL))
        open_run(config(tmp_path))
    os.waitpid(child, 0)
    with pytest.raises(ResumeError, match="nothing to resume: none of the 0 runs"):
        open_run(config(tmp_path, resume=True))
    run = start(config(tmp_path))
    assert list((tmp_path / "mine").iterdir()) == [run]


def test_processes_of_one_run_share_its_folder(tmp_path: Path) -> None:
    first = open_run(config(tmp_path)).path
    assert open_run(config(tmp_path)).path == first


def test_resume_finds_the_newest_unfinished_run_of_the_same_settings(tmp_path: Path) -> None:
    start(config(tmp_path, seed=1))
    wanted = start(config(tmp_path))
    finished = start(config(tmp_path))
    finish(finished)
    run = open_run(config(tmp_path, resume=True))
    assert run.path == wanted
    assert run.resumed
    assert run.newest_checkpoint() is None
    write_archive(run.checkpoints / "last.ckpt")
    assert run.newest_checkpoint() == wanted / "checkpoints" / "last.ckpt"


def test_a_run_that_is_measured_is_resumed_until_its_logger_has_everything(tmp_path: Path) -> None:
    wanted = start(config(tmp_path))
    (wanted / "metrics.json").write_text("{}")
    run = open_run(config(tmp_path, resume=True))
    assert (run.path, run.is_measured, run.is_finished) == (wanted, True, False)
    run.remember(delivered=True)
    close_run()
    with pytest.raises(ResumeError, match="nothing to resume"):
        open_run(config(tmp_path, resume=True))


def test_a_cut_run_may_go_on_with_another_logger(tmp_path: Path) -> None:
    wanted = start(config(tmp_path, logger={"_target_": "a.MLFlowLogger", "tracking_uri": "http://away"}))
    run = open_run(config(tmp_path, logger={"_target_": "a.CSVLogger"}, resume=True))
    assert run.path == wanted


def test_a_new_run_never_starts_from_a_checkpoint(tmp_path: Path) -> None:
    run = open_run(config(tmp_path))
    write_archive(run.checkpoints / "last.ckpt")
    assert run.newest_checkpoint() is None


def test_resume_with_nothing_to_resume_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"none of the 0 runs in .*/mine is unfinished"):
        open_run(config(tmp_path, resume=True))
    finish(start(config(tmp_path)))
    with pytest.raises(ResumeError, match=r"none of the 1 runs in .*/mine is unfinished"):
        open_run(config(tmp_path, resume=True))


def test_resume_with_other_settings_names_them(tmp_path: Path) -> None:
    start(config(tmp_path, loss={"gamma": 2.0}))
    with pytest.raises(ResumeError, match=r"other settings \(loss.gamma: 2.0 there, 1.5 here, seed: 0 there, 3 here\)"):
        open_run(config(tmp_path, loss={"gamma": 1.5}, seed=3, resume=True))


def test_what_a_run_remembers_outlives_the_process(tmp_path: Path) -> None:
    run = open_run(config(tmp_path))
    run.remember(mlflow_run_id="abc")
    run.remember(other=1)
    close_run()
    again = open_run(config(tmp_path, resume=True))
    assert (again.recall("mlflow_run_id"), again.recall("other"), again.recall("nothing")) == ("abc", 1, None)


def test_provenance_names_the_commit() -> None:
    assert provenance()["commit"].rstrip("+").isalnum()


@pytest.mark.parametrize(
    ("typed", "taken", "command"),
    [
        (["from=a b.tagger", "seed=1"], ["from_model='a b.tagger'", "seed=1"], " 'from=a b.tagger' seed=1"),
        ([], [], ""),
    ],
)
def test_the_command_is_what_was_typed_and_not_what_hydra_takes(
    typed: list[str], taken: list[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "tagger.train", *typed])
    monkeypatch.setattr(sys, "argv", ["train.py", *taken])
    assert provenance()["command"] == f"python -m tagger.train{command}"
