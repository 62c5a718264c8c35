"""The commands as typed: a checkpoint becomes a bundle, a bundle tags an album; real processes, real kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pytest
from PIL import Image

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.model.checkpoint import load_checkpoint
from tagger.tags.delivery.bundle import read_bundle
from tagger.tags.tagging.tag_file import read_lines
from tagger.tracking.label_result import LabelResult
from tagger.tracking.labels_csv import write_labels

pytestmark = [
    pytest.mark.slow,
    # What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]

Typed = Callable[..., "subprocess.CompletedProcess[str]"]


def command(*words: str) -> list[str]:
    verb, *rest = words
    return [sys.executable, "-m", f"tagger.{verb}", *rest]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Return a function that types a command in an empty folder that is not the repository."""
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()
    monkeypatch.chdir(cwd)

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return commands.run(command(*words), capture_output=True, text=True, timeout=300, check=False)

    return run


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Draw a folder of photos, one of them damaged, with names that no program likes."""
    folder = tmp_path / "My pictures (2019), best"
    (folder / "sub").mkdir(parents=True)
    names = ["a.jpg", "<script>alert(1)<.jpg", "two\nlines.png", "sub/it's.webp", "a" * 251 + ".jpg", "=1+1.jpg"]
    for number, name in enumerate([*names, *(f"sub/{number}.jpg" for number in range(20))]):
        draw_photo(plan_photo(0, number), size=96).save(folder / name)
    (folder / os.fsdecode(b"\xff\xfe.jpg")).write_bytes((folder / "a.jpg").read_bytes())
    (folder / "bad.jpg").write_bytes(b"no photo")
    (folder / "notes.txt").write_text("not a photo")
    return folder


def run_folder(delivered: Path, tmp_path: Path) -> Path:
    """Copy the run and give it a table that tells of its checkpoint."""
    run = Path(shutil.copytree(delivered, tmp_path / "run"))
    rows = [
        LabelResult(
            **{"id": name, "names": {"en": name}, "train_count": 30, "ap": 0.9, "threshold": threshold},
            **{"precision": 0.95, "recall": 0.6, "lower_bound": 0.91, "support": 9, "fallback": ""},
            **{"verdict": "certified", "val_precision": 1.0, "val_recall": 0.5, "val_support": 8},
        )
        for name, threshold in zip(("red", "green", "blue", "grey"), (0.4, 0.6, 0.5, 2.0), strict=True)
    ]
    write_labels(run / "labels.csv", rows)
    (run / "metrics.json").write_text(json.dumps({"test/map": 0.875}))
    (run / "config.yaml").write_text("name: tiny\nversion: v1.0\nseed: 0\nthresholds: {_target_: x, precision: 0.9}\n")
    return run


def test_a_run_is_delivered_as_a_file_and_registered_in_the_run_that_trained_it(
    typed: Typed, delivered: Path, tmp_path: Path
):
    from mlflow import MlflowClient

    run = run_folder(delivered, tmp_path)
    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    trained = client.create_run(client.create_experiment("tagger"))
    (run / "run.json").write_text(json.dumps({"mlflow_run_id": trained.info.run_id}))
    done = typed("export", f"checkpoint={run}/checkpoints/best.ckpt", "bundle=album=1.tagger", "register=holidays")
    assert (done.returncode, done.stderr) == (0, "")
    assert "compared with the checkpoint on random pixels" in done.stdout
    assert Path("album=1.tagger").is_file()
    read = read_bundle(Path("album=1.tagger"))
    assert [label.verdict for label in read.manifest.labels] == ["certified"] * 4
    assert read.manifest.labels[0].figures["lower_bound"] == 0.91
    assert read.manifest.target == {"precision": 0.9}
    assert read.manifest.precision == "float32"
    assert read.manifest.fingerprints["catalog"] == "c0ffee"
    assert read.manifest.run["name"] == "tiny"
    assert "| mean average precision | 0.875 |" in read.card
    assert "**certified**: 4 labels" in read.card
    assert "registered  models:/holidays/1  (sqlite:///mlflow.db)" in done.stdout
    assert "mlflow models serve -m models:/holidays/1 --env-manager local" in done.stdout
    (version,) = client.search_model_versions("name='holidays'")
    assert version.run_id == trained.info.run_id
    assert version.tags == {"name": "tiny", "version": "v1.0", "seed": "0"}


def test_a_table_that_tells_of_another_checkpoint_is_not_believed(typed: Typed, delivered: Path, tmp_path: Path):
    run = run_folder(delivered, tmp_path)
    table = run / "labels.csv"
    table.write_bytes(table.read_bytes().replace(b"0.4", b"0.41"))
    done = typed("export", f"checkpoint={run}/checkpoints/best.ckpt", "bundle=folder", "register=null")
    assert done.returncode == 0, done.stderr
    assert "without verdicts and figures" in done.stdout
    assert Path("folder/model.onnx").is_file(), "a bundle may be a folder"
    read = read_bundle(Path("folder"))
    assert read.manifest.labels[0].verdict is None
    assert read.manifest.run["name"] == "tiny"
    assert "0.875" not in read.card


def test_a_checkpoint_that_is_not_there_is_answered_with_the_newest_that_are(typed: Typed):
    for number in range(7):
        path = Path(f"runs/baseline/{number}/checkpoints/best.ckpt")
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (number, number))
    done = typed("export", "checkpoint=runs/best.ckpt", "bundle=album.tagger")
    newest = "".join(f"\n  checkpoint=runs/baseline/{number}/checkpoints/best.ckpt" for number in (6, 5, 4, 3, 2))
    assert done.stderr == f"error: checkpoint=runs/best.ckpt: there is no such file; the newest here:{newest}\n"


def test_mistakes_are_one_line_that_says_how_to_mend_them(typed: Typed, delivered: Path, tmp_path: Path):
    (tmp_path / "no.ckpt").write_bytes(b"no checkpoint")
    bundle = f"bundle={delivered}/album.tagger"
    for words, message in {
        ("export",): "checkpoint=… and bundle=… must be given",
        ("export", "checkpoint=none.ckpt", "bundle=b.tagger"): "checkpoint=none.ckpt: there is no such file",
        ("export", f"checkpoint={tmp_path}/no.ckpt", "bundle=b.tagger"): "no.ckpt cannot be read",
        ("predict", "bundle=none.tagger", "photos=.", "output=t.jsonl"): "make one with python -m tagger.export",
        ("predict", bundle, "photos=nowhere", "output=t.jsonl"): "photos=nowhere: there is no such file or folder",
        ("predict", bundle, "photos=.", "output=t.xlsx"): "must end in .jsonl, .csv, .parquet",
        ("predict", bundle, "photos=.", "output=t.jsonl", "own_thresholds={rde: 0.1}"): "no label 'rde'",
        ("predict", bundle, "photos=.", "output=t.jsonl", "own_thresholds=0.4"): "own_thresholds must be a mapping",
        ("predict", bundle, "photos=.", "output=t.jsonl", "workers=-1"): "workers must lie in [0, 256]",
        ("predict", bundle, "photos=[]", "output=t.jsonl"): "photos must be a place or a list of places",
    }.items():
        done = typed(*words)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not Path("b.tagger").exists()


def test_an_album_is_tagged_as_the_library_tags_it(typed: Typed, delivered: Path, album: Path):
    done = typed("predict", f"bundle={delivered}/album.tagger", f"photos={album}", "output=tags.jsonl", "scores=true")
    assert done.returncode == 0, done.stderr
    assert "28 photos" in done.stdout
    assert "photos left out: " in done.stdout
    assert "1 left out: no photo by its name" in done.stdout
    lines = {tree["photo"]: tree for tree in read_lines(Path("tags.jsonl"))}
    assert len(lines) == 28
    assert lines.pop(f"{album}/bad.jpg") == {"photo": f"{album}/bad.jpg", "tags": [], "error": "not an image"}
    tagger = Tagger.load(delivered / "album.tagger")
    for photo, tags in zip(lines, tagger.tag(lines), strict=True):
        assert [tag["label"] for tag in lines[photo]["tags"]] == [tag.label for tag in tags]
        assert set(lines[photo]["scores"]) == {"red", "green", "blue", "grey"}


def test_a_second_command_tags_only_what_is_new(typed: Typed, delivered: Path, album: Path):
    words = (
        "predict",
        f"bundle={delivered}/album.tagger",
        f"photos={album}",
        "output=tags.csv",
        "workers=0",
        "own_thresholds={grey: 0}",
    )
    assert typed(*words).returncode == 0
    shutil.copy(album / "a.jpg", album / "new.jpg")
    done = typed(*words)
    assert "1 photos, " in done.stdout
    assert "28 photos were there already" in done.stdout
    trees = list(read_lines(Path("tags.csv.jsonl")))
    assert len(trees) == 29
    assert all("grey" in [tag["label"] for tag in tree["tags"]] for tree in trees if "error" not in tree)
    assert Path("tags.csv").read_text(encoding="utf-8").count(str(album)) == 29


def test_a_command_that_is_killed_at_any_moment_goes_on_where_it_was(typed: Typed, delivered: Path, tmp_path: Path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(400):
        draw_photo(plan_photo(0, number), size=96).save(folder / f"{number:03}.jpg")
    words = command(
        "predict", f"bundle={delivered}/album.tagger", f"photos={folder}", "output=tags.jsonl", "batch_size=2"
    )
    cut = 0
    for wait in (0.05, 0.2, 0.4):
        with commands.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as run:
            deadline = time.monotonic() + 60
            before = lines_in(Path("tags.jsonl"))
            while lines_in(Path("tags.jsonl")) <= before and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(wait)
            run.send_signal(signal.SIGKILL)
        cut += lines_in(Path("tags.jsonl")) < 400
        deadline = time.monotonic() + 20
        while session_of(run.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert session_of(run.pid) == [], "the decoders end with the command"
    assert cut, "a test that could not fail otherwise"
    done = typed("predict", *words[3:])
    assert done.returncode == 0, done.stderr
    assert [tree["photo"] for tree in read_lines(Path("tags.jsonl"))] == sorted(map(str, folder.iterdir()))


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def session_of(pid: int) -> list[str]:
    """Return the processes that a session leader left."""
    listed = subprocess.run(["ps", "-s", str(pid), "-o", "pid=,stat="], capture_output=True, text=True, check=False)
    return [line for line in listed.stdout.splitlines() if "Z" not in line.split()[1]]


@pytest.mark.nightly
def test_ctrl_c_says_how_to_go_on(typed: Typed, delivered: Path, tmp_path: Path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        draw_photo(plan_photo(0, number), size=96).save(folder / f"{number:03}.jpg")
    words = command(
        "predict", f"bundle={delivered}/album.tagger", f"photos={folder}", "output=tags.jsonl", "batch_size=1"
    )
    with commands.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        while lines_in(Path("tags.jsonl")) < 5:
            time.sleep(0.01)
        # The terminal sends it to the decoders as well.
        os.killpg(run.pid, signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the same command goes on after" in errors
    assert "Traceback" not in errors


def test_two_hundred_fuzzed_photos_do_no_harm(typed: Typed, delivered: Path, tmp_path: Path):
    folder, rng = tmp_path / "fuzzed", np.random.default_rng(0)
    folder.mkdir()
    for number in range(200):
        suffix = ("jpg", "png", "webp", "gif", "tif", "bmp")[number % 6]
        path = folder / f"{number}.{suffix}"
        pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        data = bytearray(path.read_bytes())
        for at in rng.integers(0, len(data), 12):
            data[at] = rng.integers(256)
        path.write_bytes(data[: rng.integers(1, len(data))] if number % 3 == 0 else data)
    done = typed("predict", f"bundle={delivered}/album.tagger", f"photos={folder}", "output=tags.jsonl")
    assert done.returncode == 0, done.stderr
    trees = list(read_lines(Path("tags.jsonl")))
    assert len(trees) == 200
    assert 10 < sum("error" in tree for tree in trees) < 200


def test_an_eight_bit_bundle_has_thresholds_and_figures_of_its_own(typed: Typed):
    trained = typed("train", "+debug=smoke", "data.source.photos=120", "data.size=96")
    assert trained.returncode == 0, trained.stderr
    (checkpoint,) = Path("runs").rglob("best.ckpt")
    done = typed("export", f"checkpoint={checkpoint}", "bundle=small.tagger", "int8=true")
    assert done.returncode == 0, done.stderr
    for row in ("test mAP", "labels met", "MB"):
        assert row in done.stdout
    small = read_bundle(Path("small.tagger")).manifest
    _, thresholds, recipe = load_checkpoint(checkpoint)
    assert small.precision == "int8"
    assert [label.id for label in small.labels] == [label["id"] for label in recipe["labels"]]
    assert [label.threshold for label in small.labels] != pytest.approx(thresholds.tolist())
    assert Path("small.tagger").stat().st_size < 0.6 * checkpoint.stat().st_size
