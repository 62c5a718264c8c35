"""Several runs at once on a SQLite file that is not there yet: all of them are in it afterwards."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

from tagger.studies.parent import _experiment
from tagger.tracking.mlflow import RunLogger, build_logger, run_status
from tagger.tracking.run_folder import RunFolder
from tagger.tracking.server import check_reachable, make_tables, taking_turns

pytestmark = [pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"), pytest.mark.slow]

CONF = Path(__file__).parents[2] / "conf" / "logger"


def train(uri: str, folder: Path) -> None:
    """Do what a training does with MLflow."""
    logger = OmegaConf.merge(OmegaConf.load(CONF / "mlflow.yaml"), {"tracking_uri": uri})
    config = OmegaConf.create({"name": "mine", "seed": 0, "cache": "", "logger": logger})
    check_reachable(config.logger)
    folder.mkdir()
    run = RunFolder(folder, resumed=False)
    run.remember(id=folder.name, delivered=False)
    built = build_logger(config, run, {"version": "v1"})
    assert isinstance(built, RunLogger)
    with run_status(built):
        built.begin()


def study(uri: str, _: Path) -> None:
    """Do what a study does before its runs."""
    make_tables(uri)
    with taking_turns(uri):
        _experiment(MlflowClient(uri), "tagger")


def at_once(barrier: Barrier, task: Callable[[str, Path], None], uri: str, folder: Path) -> None:
    barrier.wait()
    task(uri, folder)


@pytest.mark.parametrize("tasks", [(train, train), (train, study), (study, study)], ids=["runs", "both", "studies"])
def test_those_that_begin_together_on_a_new_database_all_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: tuple[Callable[[str, Path], None], ...]
):
    monkeypatch.chdir(tmp_path)
    uri, context = f"sqlite:///{tmp_path / 'new.db'}", multiprocessing.get_context("fork")
    barrier = context.Barrier(len(tasks))
    processes = [
        context.Process(target=at_once, args=(barrier, task, uri, tmp_path / str(number)))
        for number, task in enumerate(tasks)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(tasks)
    client = MlflowClient(uri)
    (experiment,) = (one for one in client.search_experiments() if one.name != "Default")
    assert len(client.search_runs([experiment.experiment_id])) == tasks.count(train)
    assert not list(tmp_path.glob("*outbox*")) and not list(tmp_path.glob("*/outbox.jsonl")), "none had to wait"
    assert not list(tmp_path.glob(".*.lock"))


def test_what_a_killed_process_left_of_a_new_database_is_made_anew(tmp_path: Path):
    # Tables of which the half is there; MLflow alone would say that the first of them exists.
    for name in (".new.db.unfinished", ".new.db.unfinished-journal"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "new.db").touch()
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    make_tables(uri)
    assert [found.name for found in MlflowClient(uri).search_experiments()] == ["Default"]
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} == {"new.db"}
