"""Experts as typed: one network a group, killed and gone on with, merged, delivered."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
from tiny import NETWORK, PHOTOS, data_of

from tagger import Tagger
from tagger.data.transforms import EvalTransform
from tagger.model.checkpoint import load_checkpoint

pytestmark = [
    pytest.mark.slow,
    # What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]

TINY = [
    *PHOTOS,
    *("network.dropout=0.2", "logger=csv", "+experiment=group_experts", "name=tiny", "trainer.max_epochs=9"),
]
OWN = [*NETWORK, "network.backbone=resnet10t"]
SHARED = ["network=lite0", "regime=cached", "regime.views=2", "trainer.check_val_every_n_epoch=2"]

GROUPED = """
name: colours
labels:
  - warm
  - {id: red, parents: [warm]}
  - cold
  - {id: green, parents: [cold]}
  - {id: blue, parents: [cold]}
  - grey
"""


@pytest.fixture
def type_(colours: Callable[..., Path], tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Return a function that types a command on a tiny data set of three groups: warm, cold and other."""
    root = colours(80)
    (root / "colours.yaml").write_text(GROUPED)
    listed = root / "colours" / "labels.csv"
    groups = {"red": "red|warm", "green": "green|cold", "blue": "blue|cold", "grey": "grey"}
    rows = [line.rpartition(",") for line in listed.read_text().splitlines()[1:]]
    listed.write_text("image,labels\n" + "\n".join(f"{name},{groups[label]}" for name, _, label in rows) + "\n")
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()

    def start(*words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tagger.train", *TINY, *words, *data_of(root)]
        return commands.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def done(process: "subprocess.Popen[str]") -> str:
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "elsewhere" / "runs" / "tiny").iterdir())


def metrics(run: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "metrics.json").read_text())
    changing = ("seconds/", "photos_per_second", "peak_memory")
    return {name: value for name, value in found.items() if not name.startswith(changing)}


def scores(checkpoint: Path, photos: list[Path]) -> dict[str, np.ndarray]:
    """Return the scores of every label of a checkpoint's network."""
    network, _, recipe = load_checkpoint(checkpoint)
    transform = EvalTransform(size=32, fit="squash", **asdict(network.normalisation))
    with torch.inference_mode():
        found = network(torch.stack([transform(photo) for photo in photos])).sigmoid().numpy()
    return {label["id"]: column for label, column in zip(recipe["labels"], found.T, strict=True)}


@pytest.mark.parametrize("backbones", [SHARED, OWN], ids=["shared", "own"])
def test_the_merged_network_says_of_every_label_what_its_expert_says(type_, tmp_path: Path, backbones: list[str]):
    output = done(type_(*backbones))
    assert "expert 2 of 3: cold, 3 labels" in output
    (run,) = runs(tmp_path)
    photos = sorted((tmp_path / "root" / "colours" / "images").iterdir())
    merged = scores(run / "checkpoints" / "best.ckpt", photos)
    experts = [scores(path, photos) for path in sorted(run.glob("experts/*/checkpoints/best.ckpt"))]
    assert [sorted(expert) for expert in experts] == [["red", "warm"], ["blue", "cold", "green"], ["grey"]]
    for expert in experts:
        for label, expected in expert.items():
            np.testing.assert_allclose(merged[label], expected, atol=1e-6, rtol=1e-5)
            assert merged[label].std() > 1e-4
    # Nine epochs of eight batches: three for each of three.
    found = metrics(run)
    assert (found["experts/count"], found["experts/steps"]) == (3, 72)
    assert found["test/labels_counted"] == 6
    _, thresholds, _ = load_checkpoint(run / "checkpoints" / "best.ckpt")
    assert (thresholds != 0.5).any(), "they are fitted on what the merged network says"

    words = ["export", f"checkpoint={run}/checkpoints/best.ckpt", "bundle=album.tagger", "register=null"]
    words.append(f"photos={photos[0].parent}")
    exported = commands.run([sys.executable, "-m", "tagger.export", *words[1:]], cwd=tmp_path, check=False)
    assert exported.returncode == 0
    tagger = Tagger.load(tmp_path / "album.tagger")
    ids = [label.id for label in tagger.labels]
    for number, (photo, tags) in enumerate(zip(photos, tagger.tag([str(photo) for photo in photos]), strict=True)):
        sure = {id_ for id_, threshold in zip(ids, thresholds, strict=True) if merged[id_][number] > threshold + 1e-4}
        possible = {id_ for id_, limit in zip(ids, thresholds, strict=True) if merged[id_][number] > limit - 1e-4}
        assert sure <= {tag.label for tag in tags} <= possible, photo


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_a_killed_run_goes_on_with_the_expert_it_was_in(type_, tmp_path: Path, number: int):
    # A checkpoint after nearly every batch: the kill comes in the middle of an epoch.
    words = [*NETWORK, "checkpoint_minutes=0.0001", "experts.cost=full"]
    done(type_(*words))
    (whole,) = runs(tmp_path)
    process = type_(*words)
    deadline = time.monotonic() + 120
    while (
        not (last := list((tmp_path / "elsewhere").glob("runs/tiny/*/experts/1_cold/checkpoints/last.ckpt"))[:9])
        or (cut := last[-1].parents[3]) == whole
    ):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    output = process.communicate(timeout=120)[0]
    assert not (cut / "metrics.json").exists(), output
    assert (cut / "experts" / "0_warm" / "trained.json").exists()
    assert not (cut / "experts" / "1_cold" / "trained.json").exists()
    before = (cut / "experts" / "0_warm" / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    step = torch.load(cut / "experts/1_cold/checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert 0 < step < 72
    output = done(type_(*words, "resume=true"))
    assert "expert 1 of 3" not in output and "expert 2 of 3: cold" in output
    assert (cut / "experts" / "0_warm" / "checkpoints" / "best.ckpt").stat().st_mtime_ns == before
    assert metrics(cut) == metrics(whole)


def test_the_sample_album_is_tagged_by_its_eight_groups(tmp_path: Path):
    words = ["+experiment=group_experts", "experts.cost=full", "logger=csv"]
    words += ["trainer.max_epochs=10", "data.source.photos=400"]
    command = [sys.executable, "-m", "tagger.train", *words]
    output = commands.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "expert 8 of 8: document, 5 labels" in output
    (run,) = (tmp_path / "runs" / "group_experts").iterdir()
    found = metrics(run)
    assert found["experts/count"] == 8
    # Ten epochs of five batches each: eight times what the one network costs.
    assert found["experts/steps"] == 400
    assert found["test/map"] > 0.4


def test_what_cannot_be_divided_is_refused(type_):
    for words, said in {
        "+trainer.max_steps=9": "experts share epochs: say how many there are with trainer.max_epochs",
        "trainer.check_val_every_n_epoch=5": "an expert trains only 3 epochs",
    }.items():
        process = type_(*SHARED, words)
        assert said in process.communicate(timeout=120)[0].replace("\n", " ")
        assert process.returncode == 1
