"""A bundle in MLflow's model registry: ``mlflow models serve`` answers with its tags, Spark scores tables with it.

What is logged is code and the bundle, and no pickle: :mod:`tagger.tags.delivery.served`, this package (which the served
model imports instead of one that may be installed), and the requirements that it was exported with.
"""

import base64
import importlib.metadata
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image

import tagger
from tagger.errors import UserError, failure
from tagger.tags.runtime import Tag

if TYPE_CHECKING:
    # Importing them takes two seconds.
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

EXPERIMENT = "tagger"
"""Of models whose run is not there; that of conf/logger/mlflow.yaml."""

REQUIREMENTS = ("mlflow", "onnxruntime", "pillow", "numpy", "pandas")
"""What the served model imports beside the package itself."""


@dataclass(frozen=True)
class Registered:
    """A version in the registry."""

    name: str
    version: int
    tracking_uri: str
    run_id: str

    @property
    def uri(self) -> str:
        """What to serve."""
        return f"models:/{self.name}/{self.version}"


def tracking_uri() -> str:
    """Return where runs and models are kept: what conf/logger/mlflow.yaml says."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def register(bundle: Path, *, name: str, run_id: str = "", tags: dict[str, str] | None = None) -> Registered:
    """Log a bundle as a model and register it.

    Args:
        bundle: A file or folder that was checked.
        name: In the registry; a new version of it if it is there.
        run_id: The MLflow run that trained it; where it is empty or not in the store, a run is made.
        tags: Of the model.

    Raises:
        UserError: If MLflow refuses or cannot be reached.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = tracking_uri()
    try:
        with tracked_by(uri), run_of(client := MlflowClient(), run_id, made_for=bundle) as run:
            model_id = log(client, bundle, run, tags or {})
            with suppress_exists():
                client.create_registered_model(name)
            made = client.create_model_version(name, f"models:/{model_id}", run, tags, model_id=model_id)
    except (MlflowException, OSError) as error:
        why = failure(error) or next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"{bundle} is written, and not registered: MLflow at {uri} says: {why}; register=null leaves it out"
        ) from error
    return Registered(name, int(made.version), uri, run)


def log(client: "MlflowClient", bundle: Path, run_id: str, tags: dict[str, str]) -> str:
    """Log a bundle as a model of a run, and return the model's id."""
    import mlflow
    from mlflow.models import Model

    # Not mlflow.pyfunc.log_model: it would begin the run that trained the model again, and change how it ended.
    experiment_id = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment_id, name="tagger", source_run_id=run_id, tags=tags)
    with deleted_if_failed(client, model.model_id), plainly_named(bundle) as copy, without_bytecode():
        Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            model_id=model.model_id,
            python_model=Path(__file__).with_name("served.py"),
            artifacts={"bundle": str(copy)},
            code_paths=[str(Path(tagger.__file__).parent)],
            pip_requirements=requirements(),
            signature=signature(),
            input_example=input_example(),
        )
    return model.model_id


@contextmanager
def deleted_if_failed(client: "MlflowClient", model_id: str) -> Iterator[None]:
    """Delete a model that could not be logged, so that MLflow shows it no more and `mlflow gc` removes its files."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            client.delete_logged_model(model_id)
        raise


@contextmanager
def without_bytecode() -> Iterator[None]:
    """Have Python write no compiled files: MLflow tries the code that it logs, and would log them, too."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


@contextmanager
def plainly_named(bundle: Path) -> Iterator[Path]:
    """Give a copy of a bundle under a name that is no URL: MLflow takes "#" and "%" in a path for its grammar."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / ("bundle" if bundle.is_dir() else "bundle.tagger")
        (shutil.copytree if bundle.is_dir() else shutil.copyfile)(bundle, copy)
        yield copy


@contextmanager
def suppress_exists() -> Iterator[None]:
    """Pass over MLflow's error that there is such a thing already."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


@contextmanager
def tracked_by(uri: str) -> Iterator[None]:
    """Let MLflow keep runs and models at a place, as long as the block lasts."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        # It also sets the variable, for processes that it starts; None unsets both.
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]


@contextmanager
def run_of(client: "MlflowClient", run_id: str, *, made_for: Path) -> Iterator[str]:
    """Give the id of the run that trained a model, whatever became of that run; else of a new one."""
    if known(client, run_id):
        yield run_id
        return
    experiment = client.get_experiment_by_name(EXPERIMENT)
    made = client.create_run(
        experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT),
        run_name=f"export {made_for.name}",
    )
    try:
        yield made.info.run_id
    except BaseException:
        client.set_terminated(made.info.run_id, "FAILED")
        raise
    client.set_terminated(made.info.run_id)


def known(client: "MlflowClient", run_id: str) -> bool:
    """Return whether a run is in the store and was not deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(run_id) and client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def requirements() -> list[str]:
    """Return what the served model needs, in the versions that this process has: other Pillows give other pixels.

    Example:
        >>> [requirement.partition("==")[0] for requirement in requirements()][:5]
        ['mlflow', 'onnxruntime', 'pillow', 'numpy', 'pandas']
    """
    found = [f"{name}=={importlib.metadata.version(name)}" for name in REQUIREMENTS]
    try:
        # For HEIC photos, if this installation reads them.
        return [*found, f"pillow-heif=={importlib.metadata.version('pillow-heif')}"]
    except importlib.metadata.PackageNotFoundError:
        return found


def signature() -> "ModelSignature":
    """Return which columns the model takes and gives, and its parameter; MLflow refuses any other table."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    types = {field.name: DataType.double if field.type is float else DataType.string for field in fields(Tag)}
    tag = Object([Property(name, type_) for name, type_ in types.items()])
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "photo")]),
        outputs=Schema([ColSpec(Array(tag), "tags"), ColSpec(DataType.string, "error")]),
        params=ParamSchema([ParamSpec("language", DataType.string, "")]),
    )


def input_example() -> "tuple[pd.DataFrame, dict[str, str]]":
    """Return a table of one photo, a grey ramp, and the parameter."""
    import pandas as pd

    photo = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).save(photo, "JPEG")
    return pd.DataFrame({"photo": [base64.b64encode(photo.getvalue()).decode()]}), {"language": "en"}
