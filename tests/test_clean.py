"""The command as typed: a catalog, ten turns of which nine are there already, and which labels to clean."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tagger.cleaning.queue.table import read_queue
from tagger.cleaning.scoring.turns import turns_of
from tagger.data.catalog import CatalogStore
from tagger.data.datamodule import PhotoData
from tagger.studies.composing import composed, composing
from tagger.studies.job import Job, jobs_of
from tagger.training.building import build_data

pytestmark = pytest.mark.slow

TRAIN = "network=timm network.backbone=test_efficientnet network.weights=null data.size=32 trainer.max_epochs=1"


def clean(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tagger.clean", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def nine_turns_of_ten(words: list[str]) -> tuple[PhotoData, list[Job]]:
    """Leave what nine finished turns leave, as far as anybody can see."""
    with composing():
        catalog = build_data(composed("train", words))
        jobs = jobs_of(turns_of(catalog.catalog.fingerprint, words, minutes=60), Path("cleaning/folder/runs"))
        settings = [job.settings() for job in jobs]
    for turn, job in enumerate(jobs[:9]):
        run = job.folder / "train" / "2026-01-01_00-00-00_s0"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(settings[turn])
        (run / "metrics.json").write_text(json.dumps({"val/map": 0.5, "test/map": turn / 10}))
        rows = np.flatnonzero(catalog.folds == turn)
        np.savez(run / "test_scores.npz", rows=rows, scores=np.full((len(rows), 4), turn / 10, dtype=np.float32))
    return catalog, jobs


def test_only_the_turn_that_is_missing_is_trained_and_the_labels_are_ranked(
    colours: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = colours(40)
    (tmp_path / "colours.yaml").write_text("name: colours\nlabels: [red, green, blue, grey]\n")
    monkeypatch.chdir(tmp_path)
    data = [
        "data=folder",
        f"data.root={root}",
        "data.source.folder=colours",
        "data.source.unlisted=absent",
        f"data.taxonomy={tmp_path / 'colours.yaml'}",
        "data.workers=0",
    ]
    # Without scores there is nothing to rank; the catalog is made on the way.
    early = clean("step=labels", *data, cwd=tmp_path)
    assert early.returncode == 1
    assert "make them with python -m tagger.clean step=score" in early.stderr
    store = CatalogStore(tmp_path / "catalogs" / "folder")
    photos = store.manifest.rows["photos"]

    catalog, _ = nine_turns_of_ten([*data, "+data.catalog=catalogs/folder", "logger=csv", *TRAIN.split()])
    folds = catalog.folds
    done = clean("step=score", *data, f"train={TRAIN}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "turn9 seed 0  finished" in done.stdout
    assert "turn8 seed 0" not in done.stdout
    scores = np.load(tmp_path / "cleaning" / "folder" / "scores.npy")
    assert scores.shape == (photos, 4)
    assert scores.dtype == np.float16
    for turn in range(9):
        assert (scores[folds == turn] == np.float16(turn / 10)).all()
    last = scores[folds == 9]
    assert ((last > 0) & (last < 1)).all()
    facts = json.loads((tmp_path / "cleaning" / "folder" / "scores.json").read_text())
    assert facts["data_fingerprint"] == catalog.catalog.fingerprint
    assert [turn["turn"] for turn in facts["turns"]] == list(range(10))
    assert facts["command"].startswith("python -m tagger.clean step=score")

    ranked = clean("step=labels", *data, cwd=tmp_path)
    assert ranked.returncode == 0, ranked.stderr
    assert "labels_to_clean.csv" in ranked.stdout
    assert (tmp_path / "cleaning" / "folder" / "labels_to_clean.html").is_file()
    assert len((tmp_path / "cleaning" / "folder" / "labels_to_clean.csv").read_text().splitlines()) == 5
    the_queue_is_made(data, tmp_path)


def the_queue_is_made(data: list[str], folder: Path):
    asked = clean("step=queue", "labels=all", "budget=30", "overlap=0.5", *data, cwd=folder)
    assert asked.returncode == 0, asked.stderr
    assert "15 missing, 15 mistaken" in asked.stdout
    queue = read_queue(folder / "cleaning" / "folder" / "queue.parquet").to_pylist()
    assert [row["kind"] for row in queue[:2]] == ["missing", "mistaken"]
    assert {row["state"] for row in queue if row["kind"] == "mistaken"} == {1}
    assert {row["said_by"] for row in queue} == {"colours"}
    assert all(row["neighbours"] is not None for row in queue), "the features are kept"
    assert 0 < sum(row["overlap"] == 2 for row in queue) < 30
    drawn = clean("step=queue", "kinds=[]", "sample=3", *data, cwd=folder)
    assert drawn.returncode == 0, drawn.stderr
    queue = read_queue(folder / "cleaning" / "folder" / "queue.parquet").to_pylist()
    assert [(row["kind"], row["score"], row["said_by"]) for row in queue] == [("sample", None, "")] * 3
    early = clean("step=queue", "kinds=[]", "again=3", *data, cwd=folder)
    assert "nobody has decided anything yet" in early.stderr
    # Nine turns said the same of every label: no label is dirty.
    none = clean("step=queue", *data, "below=50", cwd=folder)
    assert none.returncode == 1
    assert "labels=auto: no label is dirty" in none.stderr
    strange = clean("step=queue", *data, "labels=[gray]", cwd=folder)
    assert strange.returncode == 1
    assert "has no label 'gray', did you mean 'grey'" in strange.stderr


def test_a_step_that_is_not_there_is_named(tmp_path: Path):
    done = clean("step=sweep", cwd=tmp_path)
    assert done.returncode == 1
    assert "step=sweep: there is no such step; the steps are score, labels, queue, export," in done.stderr
    assert list(tmp_path.iterdir()) == [], "nothing was prepared"
