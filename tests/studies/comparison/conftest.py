"""Runs that nobody trained: scores drawn so that what a comparison should say is known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from tagger.studies.comparison.runs import Run
from tagger.tracking.label_result import LabelResult
from tagger.tracking.labels_csv import write_labels


@pytest.fixture
def made_run() -> Callable[..., Run]:
    """Make a run of given scores and states."""
    return make_run


@pytest.fixture
def drawn_runs() -> Callable[..., tuple[list[Run], list[Run]]]:
    """Draw the runs of two versions with a known difference."""
    return drawn


def make_run(scores: Any, states: Any, *, version: str = "v1.0", seed: int = 0, **changes: Any) -> Run:
    """Make a run of these scores and states, (photos, labels); every label has threshold 0.5 and 50 training photos."""
    scores, states = np.asarray(scores, np.float32), np.asarray(states, np.int8)
    photos, labels = scores.shape
    facts = {
        "experiment": {"v1.0": "baseline"}.get(version, "other"),
        "version": version,
        "seed": str(seed),
        "data": "drawn",
        "data_fingerprint": "d" * 16,
        "taxonomy_fingerprint": "t" * 16,
        "commit": "c0ffee",
        "command": "python -m tagger.train",
    }
    figures: dict[str, Any] = dict.fromkeys(("ap", "precision", "recall", "lower_bound", "val_precision"))
    results = tuple(
        LabelResult(
            id=f"label{number}",
            names={"en": f"label {number}"},
            train_count=50,
            threshold=0.5,
            support=int((states[:, number] == 1).sum()),
            verdict="met",
            fallback="",
            val_recall=0.6,
            val_support=5,
            **figures,
        )
        for number in range(labels)
    )
    fields: dict[str, Any] = {
        "folder": Path("runs") / version / str(seed),
        "version": version,
        "seed": seed,
        "facts": facts,
        "mlflow_run_id": "",
        "metrics": {},
        "labels": results,
        "config": {"name": "other", "seed": seed, "thresholds": {"precision": 0.9, "recall": 0.5}},
        "scores": scores,
        "states": states,
        "unknown": np.ones(photos, np.float32),
        "photos": np.array([f"images/{number:04}.jpg" for number in range(photos)]),
        "roots": np.array(["/photos"] * photos),
    }
    return Run(**fields | changes)


def drawn(
    rng: np.random.Generator,
    *,
    photos: int = 300,
    labels: int = 40,
    skill: float = 1.5,
    gain: float = 0.0,
    seeds: int = 1,
    spread: float = 0.0,
) -> tuple[list[Run], list[Run]]:
    """Draw two versions that rank the same photos: both see a photo's signs through the same haze and one of its own.

    Args:
        rng: Source of everything.
        photos: Test photos.
        labels: From frequent (one photo in four) to rare (one in a hundred).
        skill: How far the scores of photos with a label lie above the others, in standard deviations.
        gain: How much farther for the second version.
        seeds: Runs of each version.
        spread: Standard deviation over runs of the skill at a label.
    """
    frequency = np.geomspace(0.25, 0.01, labels)
    present = rng.random((photos, labels)) < frequency
    states = np.where(present, 1, -1)
    haze = rng.normal(size=(photos, labels))

    def runs(version: str, skill: float) -> list[Run]:
        made = []
        for seed in range(seeds):
            skills = skill + rng.normal(0, spread, labels)
            logits = present * skills + 0.7 * haze + 0.7 * rng.normal(size=(photos, labels)) - 2
            made.append(make_run(1 / (1 + np.exp(-logits)), states, version=version, seed=seed))
        return made

    return runs("v1.0", skill), runs("v2.0", skill + gain)


@pytest.fixture
def written_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run as ``tagger.train`` leaves it; returns its folder."""

    def write(run: Run) -> Path:
        folder = tmp_path / "runs" / run.facts["experiment"] / f"{run.version}_s{run.seed}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"facts": dict(run.facts), "mlflow_run_id": run.mlflow_run_id}))
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(dict(run.config))))
        write_labels(folder / "labels.csv", run.labels)
        arrays = {name: getattr(run, name) for name in ("scores", "states", "unknown", "photos", "roots")}
        np.savez_compressed(folder / "test_scores.npz", rows=np.arange(len(run.photos)), **arrays)
        (folder / "metrics.json").write_text(json.dumps(dict(run.metrics)))
        return folder

    return write
