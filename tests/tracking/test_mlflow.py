"""Runs in a real MLflow store, a sqlite file."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger

from tagger.tracking.mlflow import RunLogger, build_logger, deliver, run_status
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import RunFolder

# What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

CONF = Path(__file__).parents[2] / "conf" / "logger"
LONG = "a/very/long/path/" * 60
TAGS = {"version": "v2.1", "commit": "3f2a9c1d", "data_fingerprint": "0123456789abcdef"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of this file's tests: making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def client(store: str) -> MlflowClient:
    return MlflowClient(store)


@pytest.fixture
def config(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DictConfig:
    # Artifacts go beside where the command was typed.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    quieten()
    settings: dict[str, Any] = {"name": "mine", "seed": 3, "loss": {"gamma": 1.5, "alpha": None}, "cache": LONG}
    return OmegaConf.create({**settings, "logger": OmegaConf.load(CONF / "mlflow.yaml")})


@pytest.fixture
def start(config: DictConfig, tmp_path: Path) -> Callable[..., tuple[RunLogger, RunFolder]]:
    """Build the logger of a new or resumed run; nothing has been written yet."""
    (tmp_path / "run").mkdir()

    def make(*, resumed: bool = False) -> tuple[RunLogger, RunFolder]:
        run = RunFolder(tmp_path / "run", resumed=resumed)
        # Tests share the store.
        run.remember(id=tmp_path.name, delivered=False)
        logger = build_logger(config, run, TAGS)
        assert isinstance(logger, RunLogger)
        return logger, run

    return make


Start = Callable[..., tuple[RunLogger, RunFolder]]


def found(client: MlflowClient, logger: RunLogger) -> Run:
    assert logger.run_id is not None
    return client.get_run(logger.run_id)


def test_a_run_has_its_name_its_tags_and_every_setting(start: Start, config: DictConfig, client: MlflowClient):
    logger, _run = start()
    with run_status(logger):
        logger.begin()
        assert found(client, logger).info.status == "RUNNING"
    data = found(client, logger).data
    assert found(client, logger).info.run_name == "mine"
    assert data.tags.items() >= TAGS.items()
    assert data.params["loss.gamma"] == "1.5"
    assert data.params["loss.alpha"] == "None"
    assert data.params["seed"] == "3"


def test_a_setting_longer_than_mlflow_takes_is_cut_and_the_others_are_there(
    start: Start, config: DictConfig, client: MlflowClient
):
    logger, _run = start()
    logger.begin()
    params = found(client, logger).data.params
    assert len(params["cache"]) >= 250
    assert LONG.startswith(params["cache"])
    assert params["name"] == "mine"


def measured(run: RunFolder, step: int = 12, **figures: float) -> RunFolder:
    """Leave the figures of a run in its folder, as training does before it delivers."""
    (run.path / "metrics.json").write_text(json.dumps(figures))
    run.remember(step=step)
    return run


def test_a_run_that_was_delivered_is_finished(start: Start, config: DictConfig, client: MlflowClient):
    logger, run = start()
    with run_status(logger):
        logger.begin()
        deliver(logger, measured(run))
    assert found(client, logger).info.status == "FINISHED"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("before fit"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(), "KILLED")],
)
def test_a_run_that_dies_outside_of_fit_does_not_stay_running(
    start: Start, config: DictConfig, client: MlflowClient, error: BaseException, status: str
):
    logger, _run = start()
    with pytest.raises(type(error)), run_status(logger):
        logger.begin()
        raise error
    assert found(client, logger).info.status == status
    assert found(client, logger).info.end_time is not None


def test_a_run_that_dies_before_it_begins_leaves_no_run(start: Start, client: MlflowClient, tmp_path: Path):
    logger, run = start()
    with pytest.raises(ValueError, match="no such backbone"), run_status(logger):
        raise ValueError("no such backbone")
    assert logger._run_id is None
    assert run.recall("mlflow_run_id") is None


def test_a_resumed_run_is_the_same_one_and_ends_well(start: Start, config: DictConfig, client: MlflowClient):
    logger, run = start()
    with pytest.raises(KeyboardInterrupt), run_status(logger):
        logger.begin()
        logger.log_metrics({"val/map": 0.1}, step=4)
        raise KeyboardInterrupt
    again, run = start(resumed=True)
    with run_status(again):
        # MLflow refuses to change a parameter.
        config.cache = "elsewhere"
        again.begin()
        assert found(client, again).info.status == "RUNNING"
        again.log_metrics({"val/map": 0.2}, step=8)
        deliver(again, measured(run))
    assert again.run_id == logger.run_id
    assert found(client, again).info.status == "FINISHED"
    curve = [(point.step, point.value) for point in client.get_metric_history(again.run_id, "val/map")]
    assert curve == [(4, 0.1), (8, 0.2)]


def test_a_resumed_run_that_dies_at_once_does_not_stay_running(start: Start, config: DictConfig, client: MlflowClient):
    logger, _run = start()
    with run_status(logger):
        logger.begin()
    again, _ = start(resumed=True)
    with pytest.raises(ValueError, match="at once"), run_status(again):
        raise ValueError("at once")
    assert found(client, again).info.status == "FAILED"


def test_what_the_folder_holds_is_delivered_but_for_what_only_a_resume_needs(
    start: Start, config: DictConfig, client: MlflowClient
):
    logger, run = start()
    own = "experts/0_scene/checkpoints/best.ckpt"
    for name in ("report.html", "labels.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt", own):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text(name)
    with run_status(logger):
        logger.begin()
        figures = {"test/map": 0.46, "ap/scene.clothing_store": 0.5, "ap/animal.cat": 0.25}
        deliver(logger, measured(run, **figures))
    assert logger.run_id is not None
    names = [file.path for file in client.list_artifacts(logger.run_id)]
    names += [file.path for file in client.list_artifacts(logger.run_id, "checkpoints")]
    files = ["labels.csv", "metrics.json", "report.html", "run.json"]
    assert sorted(names) == ["checkpoints", "checkpoints/best.ckpt", *files]
    metrics = found(client, logger).data.metrics
    assert metrics == {"test/map": 0.46, "ap/scene.clothing_store": 0.5, "ap/animal.cat": 0.25}


def test_a_run_whose_id_could_not_be_written_down_is_found_again(start: Start, client: MlflowClient):
    logger, run = start()
    logger.begin()
    # As if killed between the two.
    run.remember(mlflow_run_id=None)
    again, run = start(resumed=True)
    again.begin()
    assert again.run_id == logger.run_id == run.recall("mlflow_run_id")


def test_settings_that_a_kill_kept_from_mlflow_are_there_after_the_next_call(
    start: Start, client: MlflowClient, in_child: Callable[..., int], monkeypatch: pytest.MonkeyPatch
):
    logger, _run = start()
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_batch", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        assert in_child(logger.begin) == -signal.SIGKILL
    again, _ = start(resumed=True)
    again.begin()
    assert found(client, again).data.params["loss.gamma"] == "1.5"


def test_a_run_that_was_deleted_is_made_again(start: Start, client: MlflowClient):
    logger, _ = start()
    logger.begin()
    assert logger.run_id is not None
    client.delete_run(logger.run_id)
    again, run = start(resumed=True)
    again.begin()
    assert again.run_id != logger.run_id
    assert found(client, again).data.tags["version"] == "v2.1"
    assert run.recall("mlflow_run_id") == again.run_id


@pytest.mark.parametrize("where", ["log_batch", "log_artifact", "set_terminated"])
def test_a_kill_while_a_run_is_delivered_is_mended_by_one_more_call(
    start: Start, client: MlflowClient, in_child: Callable[..., int], monkeypatch: pytest.MonkeyPatch, where: str
):
    logger, run = start()
    logger.begin()
    (run.path / "report.html").write_text("report")
    measured(run, **{"test/map": 0.5})
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, where, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        assert in_child(lambda: deliver(logger, run)) == -signal.SIGKILL
    assert run.is_measured and not run.is_finished
    assert found(client, logger).info.status == "RUNNING"
    for _ in range(2):
        again, run = start(resumed=True)
        deliver(again, run)
        assert run.is_finished
    assert again.run_id == logger.run_id
    delivered = found(client, again)
    assert (delivered.info.status, delivered.data.metrics) == ("FINISHED", {"test/map": 0.5})
    assert [(point.value, point.step) for point in client.get_metric_history(again.run_id, "test/map")] == [(0.5, 12)]
    assert "report.html" in [file.path for file in client.list_artifacts(again.run_id)]


def test_the_logger_of_a_run_of_an_older_release_has_been_given_everything(tmp_path: Path):
    run = RunFolder(tmp_path, resumed=False)
    run.remember(mlflow_run_id="abc")
    assert not run.is_finished
    assert measured(run).is_finished


def test_another_logger_needs_no_mlflow(tmp_path: Path):
    config = OmegaConf.create({"runs": str(tmp_path), "name": "mine", "logger": OmegaConf.load(CONF / "csv.yaml")})
    run = RunFolder(tmp_path, resumed=False)
    logger: Logger = build_logger(config, run, TAGS)
    assert isinstance(logger, CSVLogger)
    with run_status(logger):
        deliver(logger, measured(run, **{"test/map": 0.5}))
    assert "test/map" in next(tmp_path.glob("csv/mine/*/metrics.csv")).read_text()
    assert run.recall("mlflow_run_id") is None
