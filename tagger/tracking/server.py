"""MLflow's server or database: reached soon, or told in one sentence that it cannot be reached."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.store.db import utils
from mlflow.tracking import MlflowClient
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from tagger.errors import UserError, failure
from tagger.lock import only_writer

FAILURES = (MlflowException, SQLAlchemyError, OSError)
"""What MLflow and the libraries below it raise; what requests raises are OSErrors."""

_BRIEF = {"TIMEOUT": "10", "MAX_RETRIES": "1", "BACKOFF_FACTOR": "1"}

_ATTEMPTS = 4
"""To open a database: within three seconds."""


class TrackingError(UserError):
    """MLflow does not answer; the message says where and why, and the way out."""


@contextmanager
def reaching(uri: str, *, way_out: str = "") -> Iterator[None]:
    """Tell in one sentence that MLflow fails inside.

    Raises:
        TrackingError: Instead of what its libraries raise.
    """
    way_out = way_out or "see that it runs, name another with MLFLOW_TRACKING_URI, or do without it: logger=csv"
    try:
        make_tables(uri)
        yield
    except FAILURES as error:
        raise TrackingError(f"{outage_message(uri, error)}; {way_out}") from error


_HAVE_TABLES = set[str]()


def make_tables(uri: str) -> None:
    """Have MLflow make the tables of a SQLite file, if that is what is meant: it does so when it is first asked.

    Two processes that ask at once both make them, and one of them fails; and nobody can go on with the tables that a
    killed one has made half of. So a new file is made beside its place.
    """
    if (file := _file(uri)) and uri not in _HAVE_TABLES:
        with taking_turns(uri), briefly():
            if file.exists() and (file.stat().st_size or not file.is_file()):
                MlflowClient(uri).search_experiments(max_results=1)
            else:
                beside = file.with_name(f".{file.name}.unfinished")
                for left in (beside, beside.with_name(f"{beside.name}-journal")):
                    left.unlink(missing_ok=True)
                there = make_url(uri).set(database=str(beside)).render_as_string(hide_password=False)
                MlflowClient(there).search_experiments(max_results=1)
                beside.replace(file)
        _HAVE_TABLES.add(uri)


@contextmanager
def taking_turns(uri: str) -> Iterator[None]:
    """Let one process at a time make tables or experiments in a SQLite file; servers see to that themselves."""
    if file := _file(uri):
        with only_writer(file, wait=True):
            yield
    else:
        yield


def _file(uri: str) -> Path | None:
    """Return the SQLite file that is meant, None if it is something else."""
    if not uri.startswith("sqlite"):
        return None
    database = make_url(uri).database
    return Path(database) if database and database != ":memory:" else None


@contextmanager
def briefly() -> Iterator[None]:
    """Let MLflow's client give up within half a minute, unless the user has set when; by itself it takes minutes."""
    names = {f"MLFLOW_HTTP_REQUEST_{name}": value for name, value in _BRIEF.items()}
    own = {name: value for name, value in names.items() if name not in os.environ}
    # For databases there is no setting, and a warning at every attempt.
    attempts, logger = utils.MAX_RETRY_COUNT, logging.getLogger(utils.__name__)
    level = logger.level
    os.environ.update(own)
    utils.MAX_RETRY_COUNT = _ATTEMPTS
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name in own:
            del os.environ[name]
        utils.MAX_RETRY_COUNT = attempts
        logger.setLevel(level)


@rank_zero_only
def check_reachable(logger: DictConfig) -> None:
    """Ask MLflow for anything at all, if that is what is logged to.

    Raises:
        TrackingError: If it does not answer within half a minute.
    """
    if is_mlflow(logger):
        with reaching(logger.tracking_uri), briefly():
            MlflowClient(logger.tracking_uri).get_experiment_by_name(logger.experiment_name)


def is_mlflow(logger: DictConfig) -> bool:
    """Return whether this group of settings is that of MLflow's logger."""
    return str(logger._target_).endswith("MLFlowLogger")


def outage_message(uri: str, error: BaseException) -> str:
    """Return in words that MLflow does not answer, and why; without the name and password that may be in an address.

    Example:
        >>> error = MlflowException("API request failed with HTTPPool(): Max retries")
        >>> outage_message("https://me:secret@a.example/", error)
        'MLflow at https://a.example/ does not answer (API request failed with HTTPPool())'
    """
    why = failure(error) or re.split(r": Max |\n|\. ", str(error))[0][:200]
    return f"MLflow at {re.sub(r'//[^/@]*@', '//', uri)} does not answer ({why})"
