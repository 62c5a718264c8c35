"""The command as typed: a catalog, ten turns of which nine are there already, and which labels to clean."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tagger.cleaning.queue.table import read_queue
from tagger.cleaning.scoring.turns import turns_of
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.store import TABLES
from tagger.data.datamodule import PhotoData
from tagger.studies.composing import composed, composing
from tagger.studies.job import Job, jobs_of
from tagger.training.building import build_data

pytestmark = pytest.mark.slow

TRAIN = "network=timm network.backbone=test_efficientnet network.weights=null data.size=32 trainer.max_epochs=1"


def clean(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tagger.clean", *words]
    return commands.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


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
    what_searches_found_comes_first(data, tmp_path)


def what_searches_found_comes_first(data: list[str], folder: Path):
    """Greys that came after the scoring are asked about as green, within the budget."""
    store = CatalogStore(folder / "catalogs" / "folder")
    photos = store.manifest.rows["photos"]
    (folder / "found").mkdir()
    new = []
    for number in range(9):
        Image.effect_noise((160, 120), 90 + 10 * number).save(folder / "found" / f"{number}.png")
        new.append({"photo_id": f"{number:032x}", "source": "pool", "path": f"{number}.png", "fold": 5})
        new[-1] |= {"group": photos + number, "width": 160, "height": 120}
    said = {"label": "green", "value": 1, "origin": "product", "source": "similar:green"}
    opinions = [{"photo": photos + number, "score": number / 10, **said} for number in range(9)]
    seen = [{"photo": photos + number, "source": "pool", "key": f"{number}.png"} for number in range(9)]
    tables = {
        name: pa.Table.from_pylist(own, schema=TABLES[name])
        for name, own in (("photos", new), ("sightings", seen), ("annotations", opinions))
    }
    settings = {"root": str(folder / "found"), "vocabulary": "", "exhaustive": False, "unknown": "ignore"}
    with store.locked():
        sources = {name: {**settings, "folds": "train"} for name in ("pool", "similar:green")}
        store.append({"found": tables}, sources=sources)
    asked = clean("step=queue", "labels=all", "budget=12", "neighbours=false", *data, cwd=folder)
    assert asked.returncode == 0, asked.stderr
    queue = read_queue(folder / "cleaning" / "folder" / "queue.parquet").to_pylist()
    # Of the six missing ones all; nothing is left of the nine for others of that kind than half of what remains.
    assert [row["photo_id"] for row in queue[:6]] == [f"{number:032x}" for number in (8, 7, 6, 5, 4, 3)]
    assert [row["kind"] for row in queue[6:]] == ["missing", "mistaken"] * 3
    assert [row["rank"] for row in queue if row["kind"] == "missing"] == list(range(1, 10))
    assert {row["score"] for row in queue[:6]} == {None}
    auto = clean("step=queue", "below=50", "budget=3", *data, cwd=folder)
    assert "Only what searches found is asked about: labels=auto: no label is dirty" in auto.stdout, auto.stderr
    assert len(read_queue(folder / "cleaning" / "folder" / "queue.parquet")) == 3


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
    # What is cleaned need not be typed again.
    drawn = clean("step=queue", "kinds=[]", "sample=3", cwd=folder)
    assert "data=folder" in drawn.stdout
    assert "as last time" in drawn.stdout
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


def test_what_a_search_found_is_asked_about_until_people_have_decided(colours: Callable[..., Path], tmp_path: Path):
    root = colours(40)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", "data.workers=0"]
    data += [f"data.taxonomy={root / 'colours.yaml'}"]
    dice = np.random.default_rng(1)
    (tmp_path / "pool").mkdir()
    for number in range(6):
        pixels = np.clip(np.array([200, 30, 30]) + dice.normal(0, 60, (6, 8, 1)), 0, 255).astype(np.uint8)
        picture = Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)
        picture.save(tmp_path / "pool" / f"{number}.png")
    search = ["what=similar", "examples=pool/0.png", "pool=pool", "label=red", "n=5", "size=48", "workers=0", *data]
    command = [sys.executable, "-m", "tagger.mine", *search]
    found = commands.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert "5 questions come first" in found.stdout, found.stderr
    store = CatalogStore(tmp_path / "catalogs" / "folder")
    assert min(store.table("photos", ["fold"])["fold"].to_pylist()[-5:]) >= 2, "they train"

    # Nothing was scored: the questions are made of what the catalog knows.
    path = tmp_path / "cleaning" / "folder" / "queue.parquet"
    before = read_queue(path)
    path.unlink()
    asked = clean("step=queue", "overlap=0", *data, cwd=tmp_path)
    assert "Only what searches found is asked about: no out-of-fold scores" in asked.stdout, asked.stderr
    assert read_queue(path).equals(before)
    none = clean("step=queue", "kinds=[mistaken]", *data, cwd=tmp_path)
    assert none.returncode == 1
    assert "make them with python -m tagger.clean step=score" in none.stderr

    assert clean("step=export", "to=csv", *data, cwd=tmp_path).returncode == 0
    (table,) = (tmp_path / "cleaning" / "folder" / "tasks").glob("*.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, verdict in zip(rows, ["yes", "no", "unsure", "yes"], strict=False):
        row["verdict"] = verdict
    with (tmp_path / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        answers = csv.DictWriter(file, rows[0])
        answers.writeheader()
        answers.writerows(rows)
    taken = clean("step=import", "from=answers.csv", "annotator=ann", *data, cwd=tmp_path)
    assert taken.returncode == 0, taken.stderr
    assert clean("step=queue", *data, cwd=tmp_path).returncode == 0
    assert [f"t{task}" for task in read_queue(path)["task_id"].to_pylist()] == [rows[4]["task_id"]]
    # What people said trains.
    with composing():
        now = build_data(composed("train", [*data, f"+data.catalog={store.folder}"]))
    states = now.catalog.states[:, [now.taxonomy.column["red"]]].toarray().ravel()
    assert sorted(states[now.train_rows[now.train_rows >= 40]].tolist()) == [-1, 0, 0, 1, 1]


def test_a_catalog_that_a_killed_preparation_left_without_its_card_is_prepared_again(
    colours: Callable[..., Path], tmp_path: Path
):
    root = colours(20)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", "data.workers=0", "kinds=[]", "sample=3"]
    data += [f"data.taxonomy={root / 'colours.yaml'}"]
    assert clean("step=queue", *data, cwd=tmp_path).returncode == 0
    card = tmp_path / "catalogs" / "folder" / "card.html"
    batches = list_batches(card.parent)
    card.unlink()
    done = clean("step=queue", *data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "which is not there yet, or not whole" in done.stdout
    assert card.is_file()
    assert list_batches(card.parent) == batches


def list_batches(folder: Path) -> list[str]:
    return [batch.what for batch in CatalogStore(folder).manifest.batches]


def test_a_step_that_is_not_there_is_named(tmp_path: Path):
    done = clean("step=sweep", cwd=tmp_path)
    assert done.returncode == 1
    assert "step=sweep: there is no such step; the steps are score, labels, queue, export," in done.stderr
    assert list(tmp_path.iterdir()) == [], "nothing was prepared"
