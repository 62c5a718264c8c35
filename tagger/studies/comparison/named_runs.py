"""From what a user calls runs to their folders."""

import glob
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.studies.comparison.runs import check_finished, read_facts

MLFLOW = "mlflow:"
"""What the id of a run in MLflow begins with, so that it is not taken for a folder."""


def named_runs(named: Any, *, uri: str, downloads: Path) -> dict[str, list[Path]]:
    """Return the run folders of every version.

    Args:
        named: A folder, a pattern or ``mlflow:<run id>``, or several, by version; or a list of them, whose runs say
            themselves which version they are.
        uri: Where MLflow keeps its runs.
        downloads: An empty folder for what runs of MLflow left.

    Raises:
        UserError: If it is neither, a pattern matches nothing, MLflow does not have a run, or one of a list is not that
            of a finished run.
    """
    if isinstance(named, Mapping):
        return {str(version): _folders(_listed(runs), uri, downloads) for version, runs in named.items()}
    versions: dict[str, list[Path]] = {}
    for folder in _folders(_listed(named), uri, downloads):
        check_finished(folder)
        versions.setdefault(read_facts(folder / "run.json")["version"], []).append(folder)
    return versions


def _listed(runs: Any) -> list[str]:
    if isinstance(runs, str):
        return [runs]
    if isinstance(runs, Sequence) and all(isinstance(run, str) for run in runs):
        return list(runs)
    raise UserError(
        f"runs={runs!r} must be a mapping from versions to run folders, or a list of run folders; "
        "--help shows an example"
    )


def _folders(runs: Sequence[str], uri: str, downloads: Path) -> list[Path]:
    return [folder for run in runs for folder in _found(run, uri, downloads)]


def _found(run: str, uri: str, downloads: Path) -> list[Path]:
    if run.startswith(MLFLOW):
        return [downloaded(run.removeprefix(MLFLOW), uri=uri, downloads=downloads)]
    if not glob.has_magic(run):
        return [Path(run).expanduser()]
    # Unfinished runs of a pattern are not what was meant by it; one that is named is refused.
    found = [Path(path) for path in sorted(glob.glob(str(Path(run).expanduser())))]  # noqa: PTH207 - absolute patterns
    finished = [path for path in found if (path / "metrics.json").is_file()]
    if not finished:
        raise UserError(f"run {run}: of {len(found)} files and folders that match, none is that of a finished run")
    return finished


def downloaded(run_id: str, *, uri: str, downloads: Path) -> Path:
    """Return a folder with what a run left in MLflow.

    Raises:
        UserError: If there is no such run, or its files cannot be had.
    """
    import mlflow.artifacts
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    folder = Path(tempfile.mkdtemp(dir=downloads))
    client = MlflowClient(uri)
    try:
        client.get_run(run_id)
        for item in client.list_artifacts(run_id):
            if not item.is_dir:
                mlflow.artifacts.download_artifacts(
                    run_id=run_id, artifact_path=item.path, dst_path=str(folder), tracking_uri=uri
                )
    except (MlflowException, OSError) as error:
        raise UserError(
            f"run {MLFLOW}{run_id} cannot be had from {uri}: {str(error).splitlines()[0]}; make ui shows the runs"
        ) from error
    return folder
