"""MLflow's server comes and goes: what happened meanwhile waits in the run's folder."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from omegaconf import DictConfig, OmegaConf

from tagger.tracking.mlflow import build_logger, deliver, run_status
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import RunFolder
from tagger.tracking.server import TrackingError, check_reachable

# What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def settings(uri: str) -> DictConfig:
    logger = {"_target_": "pytorch_lightning.loggers.MLFlowLogger", "experiment_name": "tagger", "run_name": "mine"}
    return OmegaConf.create({"name": "mine", "seed": 3, "logger": logger | {"tracking_uri": uri}})


SERVE = """
import sys
from mlflow.server import app
from werkzeug.serving import make_server
make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
"""


class Server:
    """MLflow's own, on this machine: what ``mlflow server`` runs, without the processes around it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'mlflow.db'}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "any",
        }

    def start(self) -> None:
        self.process = commands.Popen(
            [sys.executable, "-c", SERVE, str(self.port)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                if requests.get(f"{self.uri}/health", timeout=30).ok:
                    return
            except requests.ConnectionError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    started.start()
    yield started
    started.kill()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    made = RunFolder(tmp_path / "run", resumed=False)
    made.remember(id="0123abcd", delivered=False)
    return made


@pytest.mark.slow
def test_a_training_goes_on_without_its_server_which_is_told_everything_later(
    server: Server, run: RunFolder, capsys: pytest.CaptureFixture[str]
):
    quieten()
    logger: Any = build_logger(settings(server.uri), run, {"version": "v1"})
    with pytest.raises(TrackingError, match="the same command with resume=true sends it"), run_status(logger):
        logger.begin()
        logger.log_metrics({"train/loss": 0.9}, step=1)
        server.kill()
        began = time.monotonic()
        for step in range(2, 2002):
            logger.log_metrics({"train/loss": 1 / step}, step=step)
        assert time.monotonic() - began < 30
        (run.path / "metrics.json").write_text('{"test/map": 0.5}')
        (run.path / "report.html").write_text("report")
        deliver(logger, run)
    said = capsys.readouterr().out
    assert said.count("does not answer") == 1
    assert str(logger.outbox) in said
    assert not run.is_finished
    server.start()
    again = build_logger(settings(server.uri), RunFolder(run.path, resumed=True), {"version": "v1"})
    deliver(again, run)
    assert run.is_finished
    assert not logger.outbox.exists()
    client = MlflowClient(server.uri)
    assert again.version == logger.version
    found = client.get_run(str(again.version))
    assert (found.info.status, found.data.metrics["test/map"]) == ("FINISHED", 0.5)
    curve = client.get_metric_history(found.info.run_id, "train/loss")
    assert sorted(point.step for point in curve) == list(range(1, 2002))
    assert "report.html" in [file.path for file in client.list_artifacts(found.info.run_id)]
    assert len(client.search_runs([found.info.experiment_id])) == 1


def test_what_waits_is_sent_when_mlflow_is_tried_again(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    quieten()
    logger: Any = build_logger(settings("sqlite:///mlflow.db"), run, {})
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_batch", away)
        logger.begin()
        logger.log_metrics({"val/map": 0.25}, step=4)
    with logger.outbox.open("a") as file:
        # A kill amid a line.
        file.write('\n[["val/map", 0.')
    logger.log_metrics({"val/map": 0.5}, step=8)
    assert logger.outbox.exists(), "nobody asks at every step"
    monkeypatch.setattr(logger, "_silent_until", 0.0)
    logger.log_metrics({"val/map": 0.75}, step=12)
    assert not logger.outbox.exists()
    client = MlflowClient("sqlite:///mlflow.db")
    curve = client.get_metric_history(logger.run_id, "val/map")
    assert [(point.step, point.value) for point in curve] == [(4, 0.25), (8, 0.5), (12, 0.75)]


def away(*_: Any, **__: Any) -> None:
    raise MlflowException("API request failed with ConnectionError()")


def test_a_database_that_cannot_be_opened_is_told_in_time(tmp_path: Path):
    (tmp_path / "mlflow.db").mkdir()
    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"mlflow\.db does not answer .*cannot be opened"):
        check_reachable(settings(f"sqlite:///{tmp_path / 'mlflow.db'}").logger)
    assert time.monotonic() - began < 30


def test_a_server_that_is_down_is_told_before_anything_is_trained(colours: Callable[..., Path], tmp_path: Path):
    root = colours(40)
    words = ["data=folder", "data.source.folder=colours", f"data.root={root}", f"data.taxonomy={root / 'colours.yaml'}"]
    uri = f"http://me:secret@127.0.0.1:{free_port()}"
    began = time.monotonic()
    done = commands.run(
        [sys.executable, "-m", "tagger.train", *words],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: MLflow at {uri.replace('me:secret@', '')} does not answer (")
    assert line.endswith("or do without it: logger=csv")
    assert "secret" not in line.split("(")[0]
    assert time.monotonic() - began < 60
    assert not (tmp_path / "runs").exists()


def test_a_server_that_takes_calls_and_says_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch):
    # Ten seconds, twice, are not waited for here.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        began = time.monotonic()
        with pytest.raises(TrackingError, match="does not answer"):
            check_reachable(settings(f"http://127.0.0.1:{deaf.getsockname()[1]}").logger)
        assert time.monotonic() - began < 20
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "1"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_without_mlflow_nobody_is_asked():
    check_reachable(OmegaConf.create({"_target_": "pytorch_lightning.loggers.CSVLogger"}))
