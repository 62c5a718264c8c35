"""The run in MLflow: one per run folder, with tags to find it by and everything the folder holds."""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from lightning_fabric.loggers.logger import rank_zero_experiment
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from tagger.errors import UserError
from tagger.tracking.run_folder import RunFolder, flatten
from tagger.tracking.server import FAILURES, briefly, is_mlflow, outage_message, reaching, taking_turns

FOLDER = "folder_id"
"""Tag by which the run of a folder is found, should we have been killed before its id was written down."""

LONGEST = 250
"""Characters of a setting that every release of MLflow takes."""

AGAIN_SECONDS = 300.0
"""After so long MLflow is tried again that did not answer."""

Point = tuple[str, float, int, int]
"""Name, value, time in milliseconds since 1970, step."""


class RunLogger(MLFlowLogger):
    """Logs to the MLflow run of a folder. What MLflow does not take waits in the folder, in ``outbox.jsonl``.

    A training goes on while MLflow does not answer. `deliver` sends what waits and all that the folder holds; called
    again after it was cut, it comes to the same.

    Args:
        run: The folder.
        settings: The run's parameters.
        mlflow: Settings of Lightning's logger.
    """

    def __init__(self, *, run: RunFolder, settings: Mapping[str, str], **mlflow: Any) -> None:
        super().__init__(**mlflow)
        self.folder = run
        self.settings = {name: value[:LONGEST] for name, value in settings.items()}
        self.outbox = run.path / "outbox.jsonl"
        self._run_id = run.recall("mlflow_run_id")
        self._is_open = False
        self._silent_until = 0.0

    @property
    @rank_zero_experiment
    def experiment(self) -> MlflowClient:
        """MLflow's client; that of Lightning makes the run, too, whoever looks at it."""
        return self._mlflow_client

    @rank_zero_only
    def begin(self) -> None:
        """Say that the run is under way; it is made if it is not there."""
        self._send([])

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        points = _points(metrics, step or 0)
        if not self._send(points):
            with self.outbox.open("a", encoding="utf-8") as file:
                # First, not last: a kill may have cut the line before.
                file.write("\n" + json.dumps(points))

    def finalize(self, status: str = "success") -> None:
        """Leave the run's end to `end` and `deliver`: Lightning calls this after every part of it."""

    @rank_zero_only
    def end(self, status: str) -> None:
        """Say how the run ended, if it was made and MLflow answers."""
        # Whoever ends like this has more to say than that MLflow does not answer.
        if self._run_id is not None and time.monotonic() >= self._silent_until:
            with suppress(*FAILURES), briefly():
                self.experiment.set_terminated(self._run_id, status)

    @rank_zero_only
    def deliver(self, metrics: Mapping[str, float], step: int) -> None:
        """Send what waits, the final figures and the folder's files; then say that the run is finished.

        Raises:
            TrackingError: If MLflow does not answer.
        """
        way_out = f"all of the run is in {self.folder.path}, and the same command with resume=true sends it"
        # Should it fail, the run's status is nothing to wait for again.
        self._silent_until = math.inf
        with reaching(self._tracking_uri, way_out=way_out):
            with briefly():
                run = self._open()
            run_id, known = run.info.run_id, run.data.metrics
            final = [point for point in _points(metrics, step) if known.get(point[0]) != point[1]]
            self._log(run_id, [*self._waiting(), *final])
            self.outbox.unlink(missing_ok=True)
            for path in delivered_files(self.folder.path):
                place = path.parent.relative_to(self.folder.path).as_posix()
                self.experiment.log_artifact(run_id, str(path), None if place == "." else place)
            self.experiment.set_terminated(run_id, "FINISHED")

    def _send(self, points: Sequence[Point]) -> bool:
        """Send points and what waits; False if MLflow does not answer, which nobody asks for a while then."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            with briefly():
                run_id = self._run_id if self._is_open and self._run_id else self._open().info.run_id
                self._log(run_id, [*self._waiting(), *points])
        except FAILURES as error:
            self._silent_until = time.monotonic() + AGAIN_SECONDS
            print(
                f"{outage_message(self._tracking_uri, error)}: what it should know waits in {self.outbox}", flush=True
            )
            return False
        self.outbox.unlink(missing_ok=True)
        return True

    def _open(self) -> Run:
        """Return the run, which is found or made; its id is in ``run.json`` and its parameters are set then."""
        client, run = self._mlflow_client, self._found()
        if run is None:
            # Lightning's own property makes the run, and the experiment that it belongs to.
            self._run_id, self._initialized = None, False
            with taking_turns(self._tracking_uri):
                assert super().experiment is client
            run = client.get_run(self._run_id)
        self._run_id = run.info.run_id
        self.folder.remember(mlflow_run_id=self._run_id)
        if run.info.status != "RUNNING":
            client.update_run(self._run_id, status="RUNNING")
        # What is set cannot be changed: a setting such as the cache may be another now.
        missing = [Param(name, value) for name, value in self.settings.items() if name not in run.data.params]
        for first in range(0, len(missing), 100):
            client.log_batch(self._run_id, params=missing[first : first + 100])
        self._is_open = True
        return run

    def _found(self) -> Run | None:
        """Return the run of earlier calls; None if there is none, or it was deleted, or this is another server."""
        client = self._mlflow_client
        try:
            run = client.get_run(self._run_id) if self._run_id else self._found_by_tag()
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run is not None and run.info.lifecycle_stage == "active" else None

    def _found_by_tag(self) -> Run | None:
        experiment = self._mlflow_client.get_experiment_by_name(self._experiment_name)
        if not self.folder.resumed or experiment is None:
            return None
        found = self._mlflow_client.search_runs(
            [experiment.experiment_id], f"tags.{FOLDER} = '{self.folder.recall('id')}'", max_results=1
        )
        return found[0] if found else None

    def _waiting(self) -> list[Point]:
        if not self.outbox.is_file():
            return []
        points = []
        for line in self.outbox.read_text(encoding="utf-8").splitlines():
            # One that a kill cut, or an empty one.
            with suppress(ValueError):
                points += [tuple(point) for point in json.loads(line)]
        return points

    def _log(self, run_id: str, points: Sequence[Point]) -> None:
        # As many as MLflow takes at once. What it has already it takes for the same.
        for first in range(0, len(points), 1000):
            self._mlflow_client.log_batch(run_id, metrics=[Metric(*point) for point in points[first : first + 1000]])


def build_logger(config: DictConfig, run: RunFolder, tags: dict[str, str]) -> Logger:
    """Build the configured logger; one of MLflow continues the run that a resumed folder belongs to.

    Raises:
        TrackingError: If MLflow's database cannot be opened; a server is not asked yet.
    """
    if not is_mlflow(config.logger):
        return instantiate(config.logger)
    tree: Any = OmegaConf.to_container(config, resolve=True)
    own: Any = {name: value for name, value in tree["logger"].items() if not name.startswith("_")}
    own["tags"] = tags | {FOLDER: run.recall("id") or ""}
    if config.get("parent"):
        # Within a study, runs of one name differ in version and seed.
        own["run_name"] = f"{config.version} seed {config.seed}"
        own["tags"] |= _of_study(config.logger.tracking_uri, config.parent)
    settings = {name: str(value) for name, value in flatten(tree)}
    with reaching(config.logger.tracking_uri), briefly():
        return RunLogger(run=run, settings=settings, **own)


def _of_study(tracking_uri: str, parent: str) -> dict[str, str]:
    """Return the tags by which MLflow shows a run below the run of its study."""
    with reaching(tracking_uri), briefly():
        try:
            study = MlflowClient(tracking_uri).get_run(parent).data.tags.get("study", "")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise UserError(f"parent={parent}: {tracking_uri} has no such run; leave parent out") from error
    return {MLFLOW_PARENT_RUN_ID: parent, "study": study}


@contextmanager
def run_status(logger: Logger) -> Iterator[None]:
    """Keep the run's status true: FAILED or KILLED when this is left by an error, which may be before or after fit."""
    try:
        yield
    except BaseException as error:
        end(logger, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise


def end(logger: Logger, status: str) -> None:
    """Say that a run has ended without a result: ``FAILED`` or ``KILLED``."""
    if isinstance(logger, RunLogger):
        logger.end(status)
    else:
        logger.finalize("failed")


@rank_zero_only
def deliver(logger: Logger, run: RunFolder) -> None:
    """Log the final figures and the folder's files; then the run is finished, and there is nothing to resume.

    Raises:
        TrackingError: If MLflow does not answer; the same again sends what is missing.
    """
    metrics, step = run.metrics(), run.recall("step") or 0
    if isinstance(logger, RunLogger):
        logger.deliver(metrics, step)
    else:
        logger.log_metrics(metrics, step)
        logger.finalize("success")
    run.remember(delivered=True)


def delivered_files(folder: Path) -> list[Path]:
    """Return the files of a run's folder but for what only a resume needs; of checkpoints only the run's best."""
    best = folder / "checkpoints" / "best.ckpt"
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in files if path.suffix != ".ckpt" or path == best)


def _points(metrics: Mapping[str, float], step: int) -> list[Point]:
    now = time.time_ns() // 1_000_000
    # Without the characters that MLflow does not take.
    names = {name: re.sub(r"[^\w/. -]", "", name, flags=re.ASCII) for name in metrics}
    return [(names[name], float(value), now, step) for name, value in metrics.items()]
