"""Runs in a real MLflow store, a sqlite file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger

from tagger.tracking.mlflow import build_logger, deliver, describe_run, run_status
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
def start(config: DictConfig, tmp_path: Path) -> Callable[..., tuple[MLFlowLogger, RunFolder]]:
    """Build the logger of a new or resumed run; nothing has been written yet."""
    (tmp_path / "run").mkdir()

    def make(*, resumed: bool = False) -> tuple[MLFlowLogger, RunFolder]:
        run = RunFolder(tmp_path / "run", resumed=resumed)
        logger = build_logger(config, run, TAGS)
        assert isinstance(logger, MLFlowLogger)
        return logger, run

    return make


Start = Callable[..., tuple[MLFlowLogger, RunFolder]]


def found(client: MlflowClient, logger: MLFlowLogger) -> Run:
    assert logger.run_id is not None
    return client.get_run(logger.run_id)


def test_a_run_has_its_name_its_tags_and_every_setting(start: Start, config: DictConfig, client: MlflowClient):
    logger, run = start()
    with run_status(logger):
        describe_run(logger, config, run)
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
    logger, run = start()
    describe_run(logger, config, run)
    params = found(client, logger).data.params
    assert len(params["cache"]) >= 250
    assert LONG.startswith(params["cache"])
    assert params["name"] == "mine"


def test_a_run_that_ends_well_is_finished(start: Start, config: DictConfig, client: MlflowClient):
    logger, run = start()
    with run_status(logger):
        describe_run(logger, config, run)
    assert found(client, logger).info.status == "FINISHED"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("before fit"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(), "KILLED")],
)
def test_a_run_that_dies_outside_of_fit_does_not_stay_running(
    start: Start, config: DictConfig, client: MlflowClient, error: BaseException, status: str
):
    logger, run = start()
    with pytest.raises(type(error)), run_status(logger):
        describe_run(logger, config, run)
        raise error
    assert found(client, logger).info.status == status
    assert found(client, logger).info.end_time is not None


def test_a_run_that_dies_before_it_is_described_leaves_no_run(start: Start, client: MlflowClient, tmp_path: Path):
    logger, run = start()
    with pytest.raises(ValueError, match="no such backbone"), run_status(logger):
        raise ValueError("no such backbone")
    assert logger._run_id is None
    assert run.recall("mlflow_run_id") is None


def test_a_resumed_run_is_the_same_one_and_ends_well(start: Start, config: DictConfig, client: MlflowClient):
    logger, run = start()
    with pytest.raises(KeyboardInterrupt), run_status(logger):
        describe_run(logger, config, run)
        logger.log_metrics({"val/map": 0.1}, step=4)
        raise KeyboardInterrupt
    again, run = start(resumed=True)
    with run_status(again):
        assert found(client, again).info.status == "RUNNING"
        # MLflow refuses to change a parameter.
        config.cache = "elsewhere"
        describe_run(again, config, run)
        again.log_metrics({"val/map": 0.2}, step=8)
    assert again.run_id == logger.run_id
    assert found(client, again).info.status == "FINISHED"
    curve = [(point.step, point.value) for point in client.get_metric_history(again.run_id, "val/map")]
    assert curve == [(4, 0.1), (8, 0.2)]


def test_a_resumed_run_that_dies_at_once_does_not_stay_running(start: Start, config: DictConfig, client: MlflowClient):
    logger, run = start()
    with run_status(logger):
        describe_run(logger, config, run)
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
        describe_run(logger, config, run)
        deliver(logger, run.path, {"test/map": 0.46, "ap/scene.clothing_store": 0.5, "ap/animal.cat": 0.25}, step=12)
    assert logger.run_id is not None
    names = [file.path for file in client.list_artifacts(logger.run_id)]
    names += [file.path for file in client.list_artifacts(logger.run_id, "checkpoints")]
    assert sorted(names) == ["checkpoints", "checkpoints/best.ckpt", "labels.csv", "report.html", "run.json"]
    metrics = found(client, logger).data.metrics
    assert metrics == {"test/map": 0.46, "ap/scene.clothing_store": 0.5, "ap/animal.cat": 0.25}


def test_another_logger_needs_no_mlflow(tmp_path: Path):
    config = OmegaConf.create({"runs": str(tmp_path), "name": "mine", "logger": OmegaConf.load(CONF / "csv.yaml")})
    run = RunFolder(tmp_path, resumed=False)
    logger: Logger = build_logger(config, run, TAGS)
    assert isinstance(logger, CSVLogger)
    with run_status(logger):
        describe_run(logger, config, run)
        deliver(logger, tmp_path, {"test/map": 0.5}, step=3)
    assert "test/map" in next(tmp_path.glob("csv/mine/*/metrics.csv")).read_text()
    assert run.recall("mlflow_run_id") is None
