"""The run in MLflow: one per run folder, with tags to find it by and everything the folder holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, MLFlowLogger

from tagger.errors import UserError
from tagger.tracking.run_folder import RunFolder, flatten


def build_logger(config: DictConfig, run: RunFolder, tags: dict[str, str]) -> Logger:
    """Build the configured logger; one of MLflow continues the run that a resumed folder belongs to."""
    if not config.logger._target_.endswith("MLFlowLogger"):
        return instantiate(config.logger)
    named: dict[str, Any] = {"run_id": run.recall("mlflow_run_id"), "tags": tags}
    if config.get("parent"):
        # Within a study, runs of one name differ in version and seed.
        named |= {
            "run_name": f"{config.version} seed {config.seed}",
            "tags": tags | _of_study(config.logger.tracking_uri, config.parent),
        }
    logger: MLFlowLogger = instantiate(config.logger, **named)
    return logger


def _of_study(tracking_uri: str, parent: str) -> dict[str, str]:
    """Return the tags by which MLflow shows a run below the run of its study."""
    try:
        study = MlflowClient(tracking_uri).get_run(parent).data.tags.get("study", "")
    except MlflowException as error:
        raise UserError(f"parent={parent}: {tracking_uri} has no such run; leave parent out ({error})") from error
    return {MLFLOW_PARENT_RUN_ID: parent, "study": study}


def describe_run(logger: Logger, config: DictConfig, run: RunFolder) -> None:
    """Write the settings into the run, and the run's id into the folder. Call it when everything has been built."""
    if not isinstance(logger, MLFlowLogger) or run.recall("mlflow_run_id"):
        return
    settings: Any = OmegaConf.to_container(config, resolve=True)
    logger.log_hyperparams({name: str(value) for name, value in flatten(settings)})
    run.remember(mlflow_run_id=logger.run_id)


@contextmanager
def run_status(logger: Logger) -> Iterator[None]:
    """Keep the run's status true: RUNNING inside, FAILED or KILLED when it is left by an error.

    Lightning does so inside ``fit`` only; a run that dies before or after would stay RUNNING for ever.
    """
    if isinstance(logger, MLFlowLogger) and logger._run_id is not None and logger.experiment is not None:
        logger.experiment.update_run(logger.run_id, status="RUNNING")
    try:
        yield
    except BaseException as error:
        logger.finalize("failed" if isinstance(error, Exception) else "KILLED")
        raise
    logger.finalize("success")


def deliver(logger: Logger, folder: Path, metrics: dict[str, float], *, step: int) -> None:
    """Log the final metrics and the folder's files; checkpoints other than ``best.ckpt`` of the run stay behind."""
    logger.log_metrics(metrics, step=step)
    if not isinstance(logger, MLFlowLogger):
        return
    client, run_id = logger.experiment, logger.run_id
    best = folder / "checkpoints" / "best.ckpt"
    files = (path for path in folder.rglob("*") if path.is_file())
    for path in sorted(path for path in files if path.suffix != ".ckpt" or path == best):
        parent = path.parent.relative_to(folder).as_posix()
        client.log_artifact(run_id, str(path), None if parent == "." else parent)
