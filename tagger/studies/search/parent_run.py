"""The search as one run in MLflow: its trials are steps of ``val/map``, its files artifacts."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import MLFlowLogger

from tagger.studies.search.findings import Findings, Tried
from tagger.tracking.server import FAILURES, briefly, is_mlflow, outage_message, reaching, taking_turns

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class ParentRun:
    """A run that several calls write to, or none where the logger is not MLflow's.

    A search goes on while MLflow does not answer; `deliver` sends what it has missed.
    """

    client: "MlflowClient | None" = None
    run_id: str | None = None

    @classmethod
    def open(cls, logger: DictConfig, name: str, facts: Mapping[str, str], *, run_id: str | None) -> "ParentRun":
        """Begin a run, or go on with that of an earlier call.

        Args:
            logger: The group of the training that the command describes.
            name: Of the search.
            facts: Its tags.
            run_id: Of the run of an earlier call; None: there is none.

        Raises:
            TrackingError: If MLflow does not answer.
        """
        if not is_mlflow(logger):
            return cls()
        from mlflow.exceptions import MlflowException

        tags = {**facts, "kind": "search"}
        with reaching(logger.tracking_uri), briefly(), taking_turns(logger.tracking_uri):
            for known in (run_id, None):
                built: MLFlowLogger = instantiate(logger, run_name=name, tags=tags, run_id=known)
                try:
                    # The logger looks for the run, or makes it, when it is asked for its client.
                    return cls(built.experiment, built.run_id)
                except MlflowException as error:
                    # The run of earlier calls is not there: it was deleted, or this is another server.
                    if known is None or error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise
        raise AssertionError("the second of them returns or raises")

    @contextmanager
    def status(self) -> Iterator[None]:
        """Keep the run's status true: RUNNING inside, FAILED or KILLED when it is left by an error."""
        self._set_status("RUNNING")
        try:
            yield
        except BaseException as error:
            self._set_status("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        self._set_status("FINISHED")

    def log(self, trial: Tried, best: Tried | None) -> None:
        """Log what a trial came to, with its number as the step."""
        if not self.client or not self.run_id or trial.val_map is None:
            return
        try:
            with briefly():
                self.client.log_metric(self.run_id, _name(trial), trial.val_map, step=trial.number)
                if best and best.val_map is not None:
                    self.client.log_metric(self.run_id, "val/map_best", best.val_map, step=trial.number)
        except FAILURES as error:
            print(f"{outage_message(self.client.tracking_uri, error)}: it is told when the search ends", flush=True)

    def deliver(self, found: Findings, output: Path, experiment: Path | None) -> None:
        """Log the best settings as tags, the figures, the files, and the trials that could not be logged before.

        Tags and not parameters: a later call may find others, and MLflow's parameters never change.

        Raises:
            TrackingError: If MLflow does not answer.
        """
        if not self.client or not self.run_id:
            return
        way_out = f"all of the search is in {output}, and the same command sends it"
        with reaching(self.client.tracking_uri, way_out=way_out):
            with briefly():
                self._log_missing(found)
            for key, value in (found.best.choice if found.best else {}).items():
                self.client.set_tag(self.run_id, f"best.{key}", str(value))
            for name, value in _figures(found).items():
                self.client.log_metric(self.run_id, name, value)
            for path in [output / "README.md", output / "report.html", *([experiment] if experiment else [])]:
                self.client.log_artifact(self.run_id, str(path))

    def _log_missing(self, found: Findings) -> None:
        assert self.client and self.run_id
        known = {
            (name, point.step)
            for name in ("val/map", "val/map_pruned", "val/map_best")
            for point in self.client.get_metric_history(self.run_id, name)
        }
        best = -math.inf
        for trial in found.trials:
            if trial.val_map is None:
                continue
            best = max(best, trial.val_map if trial.state == "finished" else -math.inf)
            for name, value in ((_name(trial), trial.val_map), ("val/map_best", best)):
                if (name, trial.number) not in known and math.isfinite(value):
                    self.client.log_metric(self.run_id, name, value, step=trial.number)

    def _set_status(self, status: str) -> None:
        if self.client and self.run_id:
            with suppress(*FAILURES), briefly():
                self.client.update_run(self.run_id, status=status)


def _name(trial: Tried) -> str:
    return "val/map" if trial.state == "finished" else "val/map_pruned"


def _figures(found: Findings) -> dict[str, float]:
    figures = {f"trials/{state}": float(found.count(state)) for state in ("finished", "pruned", "failed", "cut")}
    if found.confirmation:
        figures |= {
            "val/map_confirmed": found.confirmation.best_mean,
            "val/map_confirmed_start": found.confirmation.start_mean,
        }
    return figures
