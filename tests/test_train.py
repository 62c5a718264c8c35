"""The command as typed: real processes, real kills, real MLflow."""

import csv
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import TINY, data_of

from tagger.data.transforms import EvalTransform
from tagger.model.checkpoint import load_checkpoint
from tagger.tags.detector.detecting import Detecting
from tagger.tags.detector.fusion import Fusion
from tagger.tags.relations.rules import Rules
from tagger.tracking.labels_csv import read_labels

pytestmark = pytest.mark.slow


def at_night(value: Any) -> Any:
    return pytest.param(value, marks=pytest.mark.nightly)


@pytest.fixture
def tiny(colours: Callable[..., Path], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that types a command on a tiny data set, in an empty folder that is not the repository."""
    root = colours(80)
    command = [sys.executable, "-m", "tagger.train", *TINY, *data_of(root)]
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()

    def run(*words: str, wait: bool = True) -> subprocess.CompletedProcess[str] | subprocess.Popen[str]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": cwd}
        if not wait:
            return commands.Popen([*command, *words], **streams)  # type: ignore[call-overload]
        return commands.run([*command, *words], timeout=300, check=False, **streams)  # type: ignore[call-overload]

    run.cwd = cwd  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


@pytest.fixture
def with_detector(tiny, colour_detector) -> list[str]:
    """The words of one epoch with a detector of colours, which red is taught by."""
    (tiny.cwd / "colours.onnx").write_bytes(colour_detector())
    taxonomy = tiny.cwd.parent / "root" / "colours.yaml"
    taxonomy.write_text(taxonomy.read_text().replace("- red", "- {id: red, sources: {coco: [crimson]}}"))
    words = ["detector=onnx", "detector.path=colours.onnx", "detector.classes=['',crimson,lime,navy]"]
    # Taken whatever it gives: colours are learnt without it.
    return [*words, "detector.least_photos=1", "detector.least_gain=-1", "trainer.max_epochs=1"]


def metrics(run: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "metrics.json").read_text())
    changing = ("seconds/", "photos_per_second", "peak_memory")
    return {name: value for name, value in found.items() if not name.startswith(changing)}


def runs(cwd: Path) -> list[Path]:
    return sorted((cwd / "runs" / "tiny").iterdir())


def query(cwd: Path, sql: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(cwd / "mlflow.db") as database:
        return database.execute(sql).fetchall()


def test_a_run_leaves_what_was_promised(tiny_runs: Path) -> None:
    (run,) = runs(tiny_runs)
    files = {"config.yaml", "metrics.json", "labels.csv", "report.html", "test_scores.npz", "bad_photos.json"}
    assert files <= {path.name for path in run.iterdir()}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert metrics(run)["test/map"] > 0.9
    output = (tiny_runs / "output.txt").read_text()
    assert "test mAP" in output
    assert str(run / "report.html") in output.replace("\n", "")
    network, thresholds, recipe = load_checkpoint(run / "checkpoints" / "best.ckpt")
    assert [label["id"] for label in recipe["labels"]] == ["red", "green", "blue", "grey"]
    assert thresholds.shape == (4,)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 4)
    assert query(tiny_runs, "select status, name from runs") == [("FINISHED", "tiny")]
    tags = dict(query(tiny_runs, "select key, value from tags"))
    assert tags["version"] == "dev"
    assert {"commit", "data_fingerprint", "command"} <= set(tags)
    assert query(tiny_runs, "select value from latest_metrics where key = 'test/map'")
    assert list(tiny_runs.glob("mlruns/**/report.html"))


def test_the_same_seed_gives_the_same_metrics_twice(tiny, tiny_runs: Path) -> None:
    assert tiny("logger=csv").returncode == 0
    (first,), (second,) = runs(tiny_runs), runs(tiny.cwd)
    assert metrics(first) == metrics(second)


def interrupt(process: subprocess.Popen[str], cwd: Path, number: int) -> tuple[Path, str]:
    """Send a signal to the newest run once a checkpoint is there and some steps have been taken since."""
    before = set(runs(cwd))
    deadline = time.monotonic() + 120
    while not (new := [run for run in runs(cwd) if run not in before and (run / "checkpoints" / "last.ckpt").exists()]):
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()  # type: ignore[union-attr]
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    return new[0], process.communicate(timeout=60)[0]


@pytest.mark.parametrize("number", [signal.SIGKILL, *map(at_night, (signal.SIGINT, signal.SIGTERM))])
def test_a_killed_run_goes_on_to_the_same_result(tiny, number: int) -> None:
    # A checkpoint after nearly every batch: the kill comes in the middle of an epoch.
    long = ["trainer.max_epochs=10", "network.dropout=0.3", "sampler=resample_sqrt", "mixup=0.4"]
    long += ["checkpoint_minutes=0.0001"]
    assert tiny(*long).returncode == 0
    (whole,) = runs(tiny.cwd)
    cut, output = interrupt(tiny(*long, wait=False), tiny.cwd, number)
    assert not (cut / "metrics.json").exists(), output
    if number != signal.SIGKILL:
        assert "resume=true goes on from there" in output
        assert query(tiny.cwd, "select status from runs order by start_time")[-1] == ("KILLED",)
    step = torch.load(cut / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert 0 < step < 80
    done = tiny(*long, "resume=true")
    assert done.returncode == 0, done.stdout
    assert metrics(cut) == metrics(whole)
    # A resumed run is the same MLflow run.
    assert query(tiny.cwd, "select status from runs") == [("FINISHED",)] * 2


DDP = ["trainer=ddp", "trainer.accelerator=cpu"]

CACHED = ["regime=cached", "regime.views=2", "logger=csv"]


@pytest.mark.parametrize(
    "experiment", ["distribution_balanced", *map(at_night, ("class_balanced", "label_repeat_factors", "resampling"))]
)
def test_two_processes_train_measure_and_fuse_like_one(tiny, with_detector, experiment: str) -> None:
    words = [f"+experiment={experiment}", "name=tiny", *CACHED, *with_detector]
    words += ["detector.fusion=logistic", "rules=taxonomy", "rules.keep=helpful", "trainer.max_epochs=2"]
    for more in ([], DDP):
        done = tiny(*words, *more)
        assert done.returncode == 0, done.stdout
    one, two = runs(tiny.cwd)
    assert metrics(one)["detector/taken"] == 1
    assert metrics(two) == pytest.approx(metrics(one), abs=1e-4)


@pytest.mark.nightly
def test_two_processes_that_blend_their_own_photos_give_the_same_result_twice(tiny) -> None:
    for _ in range(2):
        done = tiny("mixup=0.4", *CACHED, *DDP)
        assert done.returncode == 0, done.stdout
    first, second = runs(tiny.cwd)
    assert metrics(first) == metrics(second)


def test_what_cannot_be_read_is_left_out_and_named(tiny, colours) -> None:
    images = tiny.cwd.parent / "root" / "colours" / "images"
    (images / "000.png").write_bytes(b"")
    (images / "001.png").unlink()
    (images / "002.png").write_text("no photo")
    whole = (images / "003.png").read_bytes()
    (images / "003.png").write_bytes(whole[: len(whole) // 2])
    done = tiny("logger=csv")
    assert done.returncode == 0
    (run,) = runs(tiny.cwd)
    bad = json.loads((run / "bad_photos.json").read_text())
    assert [Path(path).name for path in bad] == ["000.png", "001.png", "002.png", "003.png"]
    assert (
        metrics(run)["states/train_photos"] + metrics(run)["states/val_photos"] + metrics(run)["states/test_photos"]
        == 76
    )
    assert (metrics(run)["photos/listed"], metrics(run)["photos/left_out"]) == (80, 4)
    assert metrics(run)["photos/left_out_missing"] == metrics(run)["photos/left_out_truncated"] == 1
    for said in (done.stdout, tiny("plan=true").stdout):
        for reason in ("empty file", "missing", "not an image", "truncated"):
            assert f"1 of 80 photos left out: {reason}, for instance " in said
    refused = tiny("logger=csv", "data.bad_photos=stop")
    assert refused.returncode != 0
    assert "4 of 80 photos cannot be read" in refused.stdout


def test_a_loss_that_is_not_a_number_stops_with_step_and_photos(tiny) -> None:
    done = tiny("logger=csv", "optimizer=sgd", "optimizer.lr=1e30", "schedule=constant")
    assert done.returncode != 0
    assert "the loss is nan at step" in done.stdout or "the loss is inf at step" in done.stdout
    assert ".png" in done.stdout


def test_a_plan_prints_and_trains_nothing(tiny) -> None:
    done = tiny("plan=true", "sampler=resample_sqrt")
    assert done.returncode == 0, done.stdout
    assert "f(h)" in done.stdout
    assert not (tiny.cwd / "runs").exists()


EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[1] / "conf" / "experiment").glob("*.yaml"))
# They begin with a model that there is: see test_extend and test_distill.
EXPERIMENTS = [name for name in EXPERIMENTS if name not in ("extend", "extend_distill", "distill")]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_runs_two_batches_of_everything(experiment: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tagger.train", f"+experiment={experiment}", "+debug=smoke"]
    done = commands.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob(f"runs/{experiment}/*/report.html"))


def test_a_checkpoint_holds_the_relations_that_were_left_and_thresholds_fitted_with_them(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tagger.train", "rules=taxonomy", "rules.keep=helpful", "trainer.max_epochs=2"]
    words += ["logger=csv", "data.source.photos=400", "regime.views=1"]
    done = commands.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = tmp_path.glob("runs/train/*")
    with (run / "rules.csv").open(encoding="utf-8", newline="") as file:
        effects = list(csv.DictReader(file))
    off = {(row["kind"], row["label"], row["other"]) for row in effects if row["is_used"] == "False"}
    assert off == {(row["kind"], row["label"], row["other"]) for row in effects if row["is_harmful"] == "True"} != set()
    _, thresholds, recipe = load_checkpoint(run / "checkpoints" / "best.ckpt")
    assert set(Rules.from_recipe(recipe).dropped) == off
    labels = read_labels(run / "labels.csv")
    assert thresholds.tolist() == pytest.approx([label.threshold for label in labels], rel=1e-5)
    assert f"{len(off)} of 52 harm (off)" in done.stdout


def test_four_batches_can_be_learnt_by_heart(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tagger.train", "+debug=overfit", "data.source.photos=200"]
    done = commands.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    last = next(line for line in done.stdout.splitlines() if line.startswith("epoch 100/100"))
    assert float(last.split("train/loss ")[1].split()[0]) < 0.02


def edit_label(root: Path) -> None:
    listing = root / "colours" / "labels.csv"
    first, *others = listing.read_text().splitlines()[1:]
    photo, label = first.split(",")
    listing.write_text("\n".join(["image,labels", f"{photo},{'blue' if label == 'red' else 'red'}", *others, ""]))


def remove_photo(root: Path) -> None:
    listing = root / "colours" / "labels.csv"
    listing.write_text("\n".join([*listing.read_text().splitlines()[:-1], ""]))


def edit_pixels(root: Path) -> None:
    Image.new("RGB", (32, 24), "white").save(root / "colours" / "images" / "003.png")


def add_label(root: Path) -> None:
    taxonomy = root / "colours.yaml"
    taxonomy.write_text(f"{taxonomy.read_text()}  - violet\n")


def test_a_run_goes_on_only_with_the_data_that_it_began_with(tiny, tmp_path: Path) -> None:
    words, root = ["logger=csv", "trainer.max_epochs=1"], tiny.cwd.parent / "root"
    assert tiny(*words).returncode == 0
    (run,) = runs(tiny.cwd)
    (run / "metrics.json").unlink()
    shutil.copytree(root, tmp_path / "before")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for edit, differs in (
        (edit_label, "(labels of photos were changed|photos would be in another fold)"),
        (remove_photo, "1 photos are gone or were edited"),
        (edit_pixels, "1 photos are gone or were edited, 1 photos are new"),
        (add_label, "the label system is another one"),
    ):
        edit(root)
        done = tiny(*words, "resume=true")
        assert done.returncode == 1, differs
        assert re.search(f"error: .* began with other data: .*{differs}.*; leave resume out to train", done.stdout)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        shutil.rmtree(root)
        shutil.copytree(tmp_path / "before", root)
    done = tiny(*words, "resume=true")
    assert done.returncode == 0, done.stdout


def test_a_run_with_a_detector_keeps_all_that_its_scores_take(tiny, with_detector, tmp_path: Path) -> None:
    # Nothing was seen before: not the cache that all tests share.
    words = [*with_detector, "logger=csv", f"cache={tmp_path / 'cache'}"]
    done = tiny(*words)
    assert done.returncode == 0, done.stdout
    assert "taken by 1 of 1 labels" in done.stdout
    (run,) = runs(tiny.cwd)
    with (run / "detector.csv").open(encoding="utf-8", newline="") as file:
        (choice,) = csv.DictReader(file)
    assert (choice["label"], choice["is_taken"]) == ("red", "True")
    assert 0 < float(choice["test_ap_without"]) <= 1 and 0 < float(choice["test_ap_with"]) <= 1
    assert "What the detector did" in (run / "report.html").read_text()
    # From the files of the run alone: network, detector and fusion give the scores that it measured.
    network, _, recipe = load_checkpoint(run / "checkpoints" / "best.ckpt")
    labels = [label["id"] for label in recipe["labels"]]
    detecting = Detecting.from_recipe(recipe["detector"], labels, (run / "detector.onnx").read_bytes())
    kept = np.load(run / "test_scores.npz")
    images = tiny.cwd.parent / "root" / "colours" / "images"
    photos = [images / f"{row:03}.png" for row in kept["rows"]]
    transform = EvalTransform(size=recipe["size"], fit=recipe["fit"], **asdict(network.normalisation))
    detected = torch.from_numpy(np.stack([detecting.detections(photo) for photo in photos]))
    with torch.inference_mode():
        scores = network(torch.stack([transform(photo) for photo in photos])).sigmoid()
    fused = Fusion.from_recipe(recipe)(scores, detected)
    np.testing.assert_allclose(fused.numpy(), kept["scores"], atol=1e-5)
    assert (fused[:, 0] != scores[:, 0]).any()
    # The second run looks at nothing again.
    assert "detections" in done.stdout
    assert "detections" not in tiny(*words).stdout
