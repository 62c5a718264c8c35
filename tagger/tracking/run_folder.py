"""A run's folder: made when the run starts, found again when it is resumed, finished when ``metrics.json`` is there."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from tagger.atomic import write_text, written_whole
from tagger.errors import UserError

SHARED = "TAGGER_RUN_FOLDER"
"""Environment variable by which the processes of one run find the folder that the first of them made."""

FOLDS = "folds.npz"

ASIDE = ("resume", "plan", "parent")
"""What may differ between a run and its resumption."""

LATER = ("from_model", "extension", "teacher", "pool", "distillation")
"""Settings that are not written down where they are null: runs that were trained before there were any are found by the
text of their settings."""


class ResumeError(UserError):
    """There is nothing that ``resume=true`` could continue; the message says what was looked for."""


@dataclass(frozen=True)
class RunFolder:
    """Where everything of a run lies."""

    path: Path
    resumed: bool

    @property
    def checkpoints(self) -> Path:
        """Folder of ``best.ckpt`` and ``last.ckpt``."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path | None:
        """The checkpoint to go on from, or None if the run was cut before its first."""
        path = self.checkpoints / "last.ckpt"
        return path if self.resumed and path.is_file() else None

    def recall(self, key: str) -> Any:
        """Return what :meth:`remember` kept under ``key``, or None."""
        path = self.path / "run.json"
        return json.loads(path.read_text()).get(key) if path.is_file() else None

    def remember(self, **facts: Any) -> None:
        """Keep facts, for instance the MLflow run's id, in ``run.json``."""
        path = self.path / "run.json"
        known = json.loads(path.read_text()) if path.is_file() else {}
        write_text(path, json.dumps(known | facts, indent=1, ensure_ascii=False))


def keep_folds(folder: Path, ids: np.ndarray, folds: np.ndarray) -> None:
    """Write which fold every photo has, by its content, so that a model made of this one can keep them apart."""
    with written_whole(folder / FOLDS) as file:
        np.savez_compressed(file, ids=ids, folds=folds)


def read_folds(folder: Path) -> dict[str, int] | None:
    """Return what :func:`keep_folds` wrote; None if it is not there, as in folders of older releases."""
    try:
        with np.load(folder / FOLDS, allow_pickle=False) as kept:
            return dict(zip(kept["ids"].astype(str).tolist(), kept["folds"].tolist(), strict=True))
    except FileNotFoundError:
        return None


def open_run(config: DictConfig) -> RunFolder:
    """Make the folder of a new run, or find that of the run to resume.

    Raises:
        ResumeError: If ``resume`` is set and no unfinished run of this name has this configuration.
    """
    if shared := os.environ.get(SHARED):
        return RunFolder(Path(shared), resumed=config.resume)
    parent = Path(config.runs).expanduser().absolute() / config.name
    if config.resume:
        folder = RunFolder(_unfinished(parent, config), resumed=True)
    else:
        folder = RunFolder(_fresh(parent, config.seed), resumed=False)
        write_text(folder.path / "config.yaml", settings_of(config))
    os.environ[SHARED] = str(folder.path)
    return folder


def close_run() -> None:
    """Forget the folder that processes of this run share, so that the next run of this process gets its own."""
    os.environ.pop(SHARED, None)


def provenance() -> dict[str, str]:
    """Return the command, the commit of the code (with ``+`` if it was edited since) and when this is."""
    # As typed: sys.argv has the words that Hydra takes, as many of them.
    words = sys.orig_argv[len(sys.orig_argv) - len(sys.argv) + 1 :]
    return {
        "command": shlex.join(["python", "-m", "tagger.train", *words]),
        "commit": commit_of_code(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _fresh(parent: Path, seed: int) -> Path:
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_s{seed}"
    for number in range(1000):
        path = parent / (stamp if not number else f"{stamp}-{number}")
        try:
            (path / "checkpoints").mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise RuntimeError(f"{parent} has a thousand runs of this second")


def _unfinished(parent: Path, config: DictConfig) -> Path:
    runs = sorted((path.parent for path in parent.glob("*/config.yaml")), reverse=True)
    open_runs = [run for run in runs if not (run / "metrics.json").is_file()]
    wanted = settings_of(config)
    for run in open_runs:
        if (run / "config.yaml").read_text(encoding="utf-8") == wanted:
            return run
    if not open_runs:
        raise ResumeError(
            f"nothing to resume: none of the {len(runs)} runs in {parent} is unfinished; leave resume out"
        )
    changed = _difference(open_runs[0] / "config.yaml", wanted)
    raise ResumeError(
        f"nothing to resume: the newest unfinished run {open_runs[0]} has other settings ({', '.join(changed[:5])}); "
        "give the same settings to resume it, or leave resume out to start anew"
    )


def settings_of(config: DictConfig) -> str:
    """Return the resolved configuration as YAML: `ASIDE` left out, and `LATER` where it is null."""
    tree = OmegaConf.to_container(config, resolve=True)
    assert isinstance(tree, dict)
    null = [key for key in LATER if tree.get(key) is None]
    return OmegaConf.to_yaml({key: value for key, value in tree.items() if key not in (*ASIDE, *null)})


def _difference(path: Path, wanted: str) -> list[str]:
    before, after = _flat(OmegaConf.load(path)), _flat(OmegaConf.create(wanted))
    return [
        f"{key}: {before.get(key)!r} there, {after.get(key)!r} here"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def _flat(config: Any) -> dict[str, Any]:
    tree = OmegaConf.to_container(config, resolve=True)
    return dict(flatten(tree))


def flatten(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of nested mappings with dotted names.

    Example:
        >>> flatten({"loss": {"gamma": 2.0}, "seed": 0})
        [('loss.gamma', 2.0), ('seed', 0)]
    """
    if not isinstance(tree, dict):
        return [(prefix, tree)]
    return [leaf for key, value in tree.items() for leaf in flatten(value, f"{prefix}.{key}" if prefix else str(key))]


def commit_of_code() -> str:
    """Return the commit of this code, with ``+`` if it was edited since; ``unknown`` outside of git.

    What a study writes into ``experiments`` edits no code.
    """

    def git(*words: str) -> str:
        where = Path(__file__).parent
        return subprocess.run(["git", *words], cwd=where, capture_output=True, text=True, check=True).stdout.strip()

    try:
        edited = git("status", "--porcelain", "--untracked-files=no", "--", ":/tagger", ":/conf", ":/pyproject.toml")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if edited else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
