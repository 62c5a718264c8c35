"""The MLflow run that holds all runs of a study: made once, found again, and as finished as they are."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from tagger.studies.composing import composing
from tagger.studies.job import jobs_of
from tagger.studies.memory import recall, remember
from tagger.studies.study import Study
from tagger.tracking.server import briefly, is_mlflow, reaching, taking_turns


@dataclass(frozen=True)
class Parent:
    """A run in MLflow whose children are the runs of a study."""

    client: MlflowClient
    run_id: str

    def begin(self) -> None:
        """Say that runs of the study are under way.

        Raises:
            TrackingError: If MLflow does not answer.
        """
        with self.reached():
            self.client.update_run(self.run_id, status="RUNNING")

    def end(self, status: str) -> None:
        """Say how the study stands, ``FINISHED``, ``FAILED`` or ``KILLED``; runs that were killed are told apart.

        Raises:
            TrackingError: If MLflow does not answer.
        """
        with self.reached():
            experiment = self.client.get_run(self.run_id).info.experiment_id
            query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.run_id}' and attributes.status = 'RUNNING'"
            for child in self.client.search_runs([experiment], query):
                self.client.set_terminated(child.info.run_id, "KILLED")
            self.client.set_terminated(self.run_id, status)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Tell in one sentence that MLflow does not answer inside."""
        way_out = "the same command goes on from there when it does"
        with reaching(self.client.tracking_uri, way_out=way_out), briefly():
            yield


def open_parent(study: Study, runs: Path, tags: Mapping[str, str] | None = None) -> Parent | None:
    """Find the study's run in MLflow or make it; None if the study's runs are not logged to MLflow.

    Its id is kept in ``study.json`` in the study's folder; without that file it is found by its tags.

    Args:
        study: The study; its first job says where its runs are logged.
        runs: The folder of all runs.
        tags: What else to write into a new run.

    Raises:
        TrackingError: If MLflow does not answer.
    """
    with composing():
        logger = jobs_of(study, runs)[0].config().logger
    if not is_mlflow(logger):
        return None
    with reaching(logger.tracking_uri), briefly(), taking_turns(logger.tracking_uri):
        client = MlflowClient(logger.tracking_uri)
        run_id = _found_or_made(client, logger.experiment_name, study, runs, tags or {})
    remember(study, runs, mlflow_run_id=run_id)
    return Parent(client, run_id)


def _found_or_made(
    client: MlflowClient, experiment_name: str, study: Study, runs: Path, tags: Mapping[str, str]
) -> str:
    experiment = _experiment(client, experiment_name)
    folder = study.folder(runs).absolute()
    run = _known(client, recall(study, runs, "mlflow_run_id")) or _found(client, experiment, study, folder)
    if run is None:
        named = {
            MLFLOW_RUN_NAME: study.name,
            "study": study.name,
            "question": study.question,
            "baseline": study.baseline,
            "folder": str(folder),
        }
        run = client.create_run(experiment, tags={**tags, **named}, run_name=study.name)
    return str(run.info.run_id)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)


def _known(client: MlflowClient, run_id: str | None) -> Run | None:
    if run_id is None:
        return None
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        # Another server, or it was erased.
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _found(client: MlflowClient, experiment: str, study: Study, folder: Path) -> Run | None:
    # Children have the study's name, too, but no question.
    query = f"tags.study = '{study.name}' and tags.question != ''"
    # Not in the query: a folder may hold quotes.
    return next(
        (run for run in client.search_runs([experiment], query) if run.data.tags.get("folder") == str(folder)), None
    )
