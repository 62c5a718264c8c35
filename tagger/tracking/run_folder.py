"""A run's folder: made when the run starts, found again when it is resumed.

It is measured when ``metrics.json`` is there, and finished when the logger has been given everything, too.
"""

import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from omegaconf import DictConfig, OmegaConf

from tagger.atomic import folder_whole, write_text, written_whole
from tagger.errors import UserError
from tagger.trust import read_settings

SHARED = "TAGGER_RUN_FOLDER"
"""Environment variable by which the processes of one run find the folder that the first of them made."""

FOLDS = "folds.npz"

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
"""The checkpoint that a training goes on from, and the one before it, should the last one be damaged."""

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

    def newest_checkpoint(self) -> Path | None:
        """Return the checkpoint to go on from; None if the run is new or was cut before its first.

        What is damaged is passed over with a sentence.
        """
        for path in (self.checkpoints / LAST, self.checkpoints / PREVIOUS):
            if not self.resumed or not path.is_file():
                continue
            if not (reason := _damage(path)):
                return path
            # Of several processes, the first says so.
            if os.environ.get("LOCAL_RANK", "0") == "0":
                print(f"{path} is damaged ({reason}): training goes on from what was kept before it", flush=True)
        return None

    @property
    def is_measured(self) -> bool:
        """Whether all of its files are there."""
        return (self.path / "metrics.json").is_file()

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do, not even to tell the logger."""
        # Older releases did not say what the logger was given.
        return self.is_measured and self.recall("delivered") is not False

    def metrics(self) -> dict[str, float]:
        """Return the figures of a measured run."""
        found: dict[str, float] = json.loads((self.path / "metrics.json").read_text(encoding="utf-8"))
        return found

    def recall(self, key: str) -> Any:
        """Return what :meth:`remember` kept under ``key``, or None."""
        path = self.path / "run.json"
        return json.loads(path.read_text()).get(key) if path.is_file() else None

    def remember(self, **facts: Any) -> None:
        """Keep facts, for instance the MLflow run's id, in ``run.json``."""
        path = self.path / "run.json"
        known = json.loads(path.read_text()) if path.is_file() else {}
        write_text(path, json.dumps(known | facts, indent=1, ensure_ascii=False))


def _damage(checkpoint: Path) -> str:
    """Return why a checkpoint, which is a ZIP archive, cannot be read; nothing if it can."""
    try:
        with zipfile.ZipFile(checkpoint) as file:
            changed = file.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return str(error)
    return f"{changed} has changed" if changed else ""


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


def check_same_data(run: RunFolder, facts: Mapping[str, str], ids: np.ndarray, folds: np.ndarray) -> None:
    """Let a run go on only with the data that it began with: else photos that it has learnt from would be tested on.

    Args:
        run: The folder; a new one has nothing to compare with.
        facts: With the fingerprints of the data and of the label system as they are now.
        ids: Content hashes of the photos, as `keep_folds` takes them.
        folds: Their folds.

    Raises:
        ResumeError: If something differs; the message says what.
    """
    before = (run.recall("facts") or {}) if run.resumed else {}
    if all(before.get(name, facts[name]) == facts[name] for name in ("data_fingerprint", "taxonomy_fingerprint")):
        return
    kept, now = read_folds(run.path) or {}, dict(zip(ids.astype(str).tolist(), folds.tolist(), strict=True))
    moved = sum(now.get(photo, fold) != fold for photo, fold in kept.items())
    differs = [
        f"{count:,} photos {what}"
        for count, what in (
            (len(kept.keys() - now.keys()), "are gone or were edited"),
            (len(now.keys() - kept.keys()), "are new"),
            (moved, "would be in another fold"),
        )
        if count and kept
    ]
    if before.get("taxonomy_fingerprint") != facts["taxonomy_fingerprint"]:
        differs.append("the label system is another one")
    raise ResumeError(
        f"{run.path} began with other data: {', '.join(differs or ['labels of photos were changed'])}; leave resume "
        "out to train a new run on the data as it is now, or bring back what it began with"
    )


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
        folder = RunFolder(_fresh(parent, config), resumed=False)
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


def _fresh(parent: Path, config: DictConfig) -> Path:
    """Make a run's folder with what it is found by, all of it or nothing."""
    parent.mkdir(parents=True, exist_ok=True)
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_s{config.seed}"
    for number in range(1000):
        path = parent / (stamp if not number else f"{stamp}-{number}")
        try:
            with folder_whole(path, instead=False) as folder:
                made = RunFolder(folder, resumed=False)
                made.checkpoints.mkdir()
                made.remember(id=uuid4().hex, delivered=False)
                write_text(folder / "config.yaml", settings_of(config))
        except FileExistsError:
            continue
        return path
    raise RuntimeError(f"{parent} has a thousand runs of this second")


def _unfinished(parent: Path, config: DictConfig) -> Path:
    runs = sorted((path.parent for path in parent.glob("[!.]*/config.yaml")), reverse=True)
    open_runs = [run for run in runs if not RunFolder(run, resumed=True).is_finished]
    wanted = settings_of(config)
    for is_same in (_has, _differs_in_logger_only):
        if found := next((run for run in open_runs if is_same(run, wanted)), None):
            return found
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


def _has(run: Path, settings: str) -> bool:
    return (run / "config.yaml").read_text(encoding="utf-8") == settings


def _differs_in_logger_only(run: Path, settings: str) -> bool:
    # Who cannot reach MLflow any more goes on with another, or without.
    return all(line.startswith("logger.") for line in _difference(run / "config.yaml", settings))


def _difference(path: Path, wanted: str) -> list[str]:
    try:
        before = dict(flatten(read_settings(path)))
    except (OSError, ValueError) as error:
        return [f"{path.name} cannot be read: {error}"]
    after = dict(flatten(OmegaConf.to_container(OmegaConf.create(wanted))))
    return [
        f"{key}: {before.get(key)!r} there, {after.get(key)!r} here"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


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
