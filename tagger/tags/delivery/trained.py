"""From a checkpoint and its run folder to the manifest of a bundle."""

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.model.checkpoint import load_checkpoint
from tagger.tags.chain import Chain
from tagger.tags.delivery.curve import Curve
from tagger.tags.delivery.graph import OPSET
from tagger.tags.delivery.manifest import BundleLabel, Manifest
from tagger.tags.detector.fusion import Fusion
from tagger.tags.detector.fusion_callback import MODEL
from tagger.tags.relations.rules import Rules
from tagger.tracking.curves_json import read_curves
from tagger.tracking.label_result import LabelResult
from tagger.tracking.labels_csv import read_labels
from tagger.trust import read_settings

FIGURES = (
    *("train_count", "ap", "precision", "recall", "support"),
    *("lower_bound", "val_precision", "val_recall", "val_support"),
)
"""Columns of ``labels.csv`` that a bundle carries."""


SETTINGS = "config.yaml"
"""Of a run, in its folder."""

DETECTOR = ("sha256", "classes", "labels", "long_side", "floor")
"""What a bundle says of its detector, from the checkpoint's recipe."""


@dataclass(frozen=True)
class Trained:
    """What a checkpoint holds."""

    path: Path
    chain: Chain
    recipe: dict[str, Any]
    detector: bytes | None = None
    """The ONNX graph whose detections some labels take; None if none does."""


@dataclass(frozen=True)
class Run:
    """What a run's folder says; all empty where a checkpoint has none."""

    labels: dict[str, LabelResult] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    mlflow_run_id: str = ""


def read_trained(path: Path) -> Trained:
    """Load a checkpoint.

    Raises:
        UserError: If it is missing or none of ours.
    """
    if not path.is_file():
        newest = "".join(f"\n  checkpoint={path}" for path in newest_checkpoints(Path("runs")))
        there = f"the newest here:{newest}" if newest else "a run keeps checkpoints/best.ckpt"
        raise UserError(f"checkpoint={path}: there is no such file; {there}")
    try:
        network, thresholds, recipe = load_checkpoint(path)
        chain = Chain(network, Rules.from_recipe(recipe), thresholds, Fusion.from_recipe(recipe)).eval()
        return Trained(path, chain, recipe, _detector(path) if chain.looks else None)
    except UserError:
        raise
    # What torch raises for a file that is no checkpoint depends on its first bytes.
    except Exception as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"checkpoint={path} cannot be read: {first_line:.300}") from error


def _detector(checkpoint: Path) -> bytes:
    place = checkpoint.absolute().parent.parent / MODEL
    try:
        return place.read_bytes()
    except OSError as error:
        raise UserError(
            f"checkpoint={checkpoint} takes a detector, and {place} cannot be read: {error.strerror}"
        ) from error


def newest_checkpoints(runs: Path, count: int = 5) -> list[Path]:
    """Return the best checkpoints of the runs in a folder, the newest first."""
    found = runs.glob("*/*/checkpoints/best.ckpt")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:count]


def read_run(checkpoint: Path) -> Run:
    """Read the folder of the run that a checkpoint belongs to, as far as it is there.

    Raises:
        UserError: If a file is there and cannot be read.
    """
    folder = checkpoint.absolute().parent.parent
    try:
        table = folder / "labels.csv"
        labels = {label.id: label for label in read_labels(table)} if table.is_file() else {}
        settings = folder / SETTINGS
        config = read_settings(settings) if settings.is_file() else {}
        mlflow_run_id = str(_json(folder / "run.json").get("mlflow_run_id", ""))
        drawn = folder / "curves.json"
        curves = read_curves(drawn) if drawn.is_file() else {}
        return Run(labels, curves, _json(folder / "metrics.json"), config, mlflow_run_id)
    except (OSError, ValueError) as error:
        raise UserError(f"the run's folder {folder} cannot be read: {error}") from error


def describe(trained: Trained, run: Run) -> Manifest:
    """Return the manifest, without the hashes of the files."""
    recipe, normalisation = trained.recipe, trained.chain.network.normalisation
    return Manifest(
        labels=_labels(trained, run),
        preprocessing={
            "size": recipe["size"],
            "fit": recipe["fit"],
            "interpolation": normalisation.interpolation,
            "mean": list(normalisation.mean),
            "std": list(normalisation.std),
        },
        opset=OPSET,
        detector={name: recipe["detector"][name] for name in DETECTOR} if trained.detector else None,
        relations=tuple((kind, label, other) for kind, label, other in trained.chain.rules.active),
        target=_target(run),
        fingerprints={**recipe.get("fingerprints", {}), "checkpoint": _sha256(trained.path)},
        run=_run_facts(run),
        versions={
            name: importlib.metadata.version(name)
            for name in ("tagger", "torch", "onnx", "onnxscript", "pillow")
            if _has(name)
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def told_of(trained: Trained, run: Run) -> bool:
    """Return whether ``labels.csv`` tells of this checkpoint: of another epoch's it has other thresholds."""
    ids = [label["id"] for label in trained.recipe["labels"]]
    return set(ids) == set(run.labels) and all(
        # labels.csv has six significant digits.
        abs(run.labels[id_].threshold - threshold) <= 1e-5 * max(threshold, 1e-3)
        for id_, threshold in zip(ids, trained.chain.thresholds.tolist(), strict=True)
    )


def _labels(trained: Trained, run: Run) -> tuple[BundleLabel, ...]:
    results = run.labels if told_of(trained, run) else {}
    labels = []
    for label, threshold in zip(trained.recipe["labels"], trained.chain.thresholds.tolist(), strict=True):
        result = results.get(label["id"])
        labels.append(
            BundleLabel(
                id=label["id"],
                names=dict(label.get("names", {})),
                threshold=threshold,
                verdict=result.verdict if result else None,
                fallback=result.fallback if result else None,
                figures={name: getattr(result, name) for name in FIGURES} if result else {},
                groups=tuple(label.get("groups", ())),
                curve=run.curves.get(label["id"]) if result else None,
            )
        )
    return tuple(labels)


def _target(run: Run) -> dict[str, Any] | None:
    asked = run.config.get("thresholds")
    if not isinstance(asked, dict):
        return None
    plain = {name: value for name, value in asked.items() if isinstance(value, bool | int | float | str | None)}
    return {name: value for name, value in plain.items() if not str(name).startswith("_")}


def _run_facts(run: Run) -> dict[str, str]:
    facts = {name: str(run.config[name]) for name in ("name", "version", "seed") if name in run.config}
    return facts | ({"mlflow_run_id": run.mlflow_run_id} if run.mlflow_run_id else {})


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a mapping")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
