"""Read what a finished run left: its test scores, its thresholds, its settings, and what it was."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.archive import check_unpacked
from tagger.errors import UserError
from tagger.tracking.label_result import LabelResult
from tagger.tracking.labels_csv import read_labels
from tagger.trust import read_settings

FACTS = ("experiment", "version", "seed", "data_fingerprint", "taxonomy_fingerprint", "commit", "command")
"""What a comparison needs of ``run.json``."""

MAX_ARRAYS = 4 * 2**30
"""Most bytes of ``test_scores.npz`` in memory; a short file may unpack to a thousand times as many."""


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run."""

    folder: Path
    version: str
    seed: int
    facts: Mapping[str, str]
    mlflow_run_id: str
    metrics: Mapping[str, float]
    labels: tuple[LabelResult, ...]
    config: Mapping[str, Any]
    scores: NDArray[np.float32]
    """Of the test photos, (photos, labels)."""
    states: NDArray[np.int8]
    """PRESENT, ABSENT or UNKNOWN, (photos, labels)."""
    unknown: NDArray[np.float32]
    """What an unknown label of each photo weighs as a negative, (photos,); where labels differ, (photos, labels)."""
    photos: NDArray[np.str_]
    """Paths below their roots, (photos,)."""
    roots: NDArray[np.str_]
    """Folder or URL that each photo lay under when the run was made, (photos,)."""

    @property
    def ids(self) -> list[str]:
        """Ids of the labels, in the order of every label axis."""
        return [label.id for label in self.labels]

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.version} seed {self.seed}"


def read_run(folder: Path, *, version: str | None = None) -> Run:
    """Read a run's folder.

    Args:
        folder: As ``tagger.train`` leaves it.
        version: What to call it; None: what it calls itself.

    Raises:
        UserError: If it is no folder of a run, the run did not finish, a file is damaged, or an older release left
            out what a comparison needs; says which, where, and what to do.
    """
    check_finished(folder)
    facts = read_facts(folder / "run.json")
    labels = _labels(folder / "labels.csv")
    arrays = _arrays(folder / "test_scores.npz", labels=len(labels))
    return Run(
        folder=folder,
        version=facts["version"] if version is None else version,
        seed=int(facts["seed"]),
        facts=facts,
        mlflow_run_id=str(_json(folder / "run.json").get("mlflow_run_id", "")),
        metrics=_json(folder / "metrics.json"),
        labels=labels,
        config=_config(folder / "config.yaml"),
        **arrays,
    )


def read_runs(runs: Mapping[str, Sequence[Path]]) -> dict[str, list[Run]]:
    """Read the runs of every version, each version's by seed.

    Raises:
        UserError: As `read_run` does, or if a version has no run or two of one seed.
    """
    read = {
        version: sorted((read_run(folder, version=version) for folder in folders), key=lambda run: run.seed)
        for version, folders in runs.items()
    }
    for version, found in read.items():
        if not found:
            raise UserError(f"{version} has no run; name one, or leave the version out")
        for run, following in pairwise(found):
            if run.seed == following.seed:
                raise UserError(
                    f"{version} has two runs of seed {run.seed}, {run.folder} and {following.folder}; leave one out"
                )
    return read


def check_finished(folder: Path) -> None:
    """Refuse what is not the folder of a finished run.

    Raises:
        UserError: If it is not; says what it is, and what to do.
    """
    if not folder.is_dir():
        raise UserError(f"run {folder}: there is no such folder; name one that holds a run's metrics.json")
    if not (folder / "config.yaml").is_file():
        inside = sorted(path.parent for path in folder.glob("*/metrics.json"))
        holds = f"; it holds {len(inside)} runs, name them or write {folder}/*" if inside else ""
        raise UserError(f"run {folder} is not the folder of a run: it has no config.yaml{holds}")
    if not (folder / "metrics.json").is_file():
        raise UserError(
            f"run {folder} did not finish: it has no metrics.json; go on with it (its command and resume=true), "
            "or leave it out"
        )


def read_facts(path: Path) -> dict[str, str]:
    """Read what ``run.json`` says the run was.

    Raises:
        UserError: If it is missing, damaged, or an older release left out what a comparison needs.
    """
    facts = _json(path).get("facts", {}) if path.is_file() else {}
    missing = [name for name in FACTS if name not in facts]
    if missing:
        raise UserError(
            f"{path} does not say the run's {missing[0]}: an older release wrote it; train the run again, and it will"
        )
    return facts


def _labels(path: Path) -> tuple[LabelResult, ...]:
    try:
        return tuple(read_labels(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; train the run again") from error


def _arrays(path: Path, *, labels: int) -> dict[str, Any]:
    try:
        check_unpacked(path, most=MAX_ARRAYS)
        with np.load(path, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in ("scores", "states", "unknown", "photos", "roots")}
    except KeyError as error:
        raise UserError(f"{path} has no {error.args[0]}: an older release wrote it; train the run again") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}; train the run again") from error
    photos = len(arrays["photos"])
    for name, array in arrays.items():
        expected = (photos, labels) if name in ("scores", "states") else (photos,)
        # In a run that extends a model an unknown new label weighs otherwise than an unknown earlier one.
        is_by_label = name == "unknown" and array.shape == (photos, labels)
        if array.shape != expected and not is_by_label:
            raise UserError(
                f"{path}: {name} has shape {array.shape}, but its photos and labels.csv say {expected}; "
                "train the run again"
            )
    return arrays


def _config(path: Path) -> dict[str, Any]:
    try:
        return read_settings(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; train the run again") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; train the run again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} must hold a mapping; train the run again")
    return found
