"""Commands as typed on disks that are full or read-only, in albums with anything in them, and two of them at once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import commands
import pytest

from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.tagging.tag_file import read_lines

pytestmark = pytest.mark.slow

Typed = Callable[..., "subprocess.CompletedProcess[str]"]

FULL = "the disk is full; make room, or name a place on another disk"
READ_ONLY = "the disk is read-only; name another place, or have the disk mounted for writing"


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Return a function that types a command in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(verb: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return commands.run(as_typed(verb, *words), capture_output=True, text=True, timeout=300)

    return run


def as_typed(verb: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"tagger.{verb}", *words]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Draw a folder of four photos."""
    (tmp_path / "album").mkdir()
    for number in range(4):
        draw_photo(plan_photo(0, number), size=64).save(tmp_path / "album" / f"{number}.jpg")
    return tmp_path / "album"


@contextmanager
def full(disk: Path) -> Iterator[None]:
    with (disk / "filling").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    yield
    (disk / "filling").unlink()


def contents(disk: Path) -> dict[Path, bytes]:
    """Return what lies on a disk; locks are empty files, which stay."""
    files = (path for path in disk.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name != "filling" and path.suffix != ".lock"}


def told(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the sentence that a command failed with, and check that it said nothing else about it."""
    assert (done.returncode, done.stderr.count("error: ")) == (1, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: "), done.stderr
    return last


def test_predict_leaves_everything_as_it_was_and_writes_what_is_missing_when_it_can(
    typed: Typed, album: Path, delivered: Path, small_disk: Path
):
    shutil.copytree(album, small_disk / "album")
    words = [f"bundle={delivered / 'album.tagger'}", "workers=0", f"photos={small_disk / 'album'}", "xmp=true"]
    words += ["own_thresholds={red: 0}"]
    there, elsewhere = [*words, f"output={small_disk / 'tags.csv'}"], [*words, "output=tags.jsonl"]
    assert typed("predict", *there).returncode == 0
    (small_disk / "album" / "0.jpg.xmp").unlink()
    draw_photo(plan_photo(0, 9), size=64).save(small_disk / "album" / "9.jpg")
    before = contents(small_disk)
    with full(small_disk):
        for words_, name in (
            (there, f"{small_disk}/tags.csv"),
            ([*elsewhere, f"gallery={small_disk / 'page.html'}"], f"gallery={small_disk}/page.html"),
            (elsewhere, f"2 sidecars could not be written, for instance {small_disk}/album/0.jpg.xmp"),
        ):
            sentence = told(typed("predict", *words_))
            assert name in sentence
            assert FULL in sentence
        after, lines = contents(small_disk), small_disk / "tags.csv.jsonl"
        # The last block of a file may have room for the lines of another photo.
        assert after[lines].startswith(before[lines])
        assert after | {lines: before[lines]} == before
    assert len(list(read_lines(Path("tags.jsonl")))) == 5
    assert typed("predict", *there).returncode == 0
    assert set(contents(small_disk)) - set(before) == {small_disk / "album" / f"{n}.jpg.xmp" for n in (0, 9)}
    assert len((small_disk / "tags.csv").read_text().splitlines()) == 6
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert f"tags.csv cannot be written: {READ_ONLY}" in told(typed("predict", *there))


def test_the_other_commands_tell_what_a_disk_refuses_in_one_sentence_and_leave_what_was_there(
    typed: Typed, album: Path, delivered: Path, small_disk: Path
):
    data = ["data=sample", "data.source.photos=20", "data.source.size=32", "data.workers=0"]
    mined = ["what=similar", f"examples={album}", f"pool={album}", "size=32", "workers=0", "network=timm"]
    mined += ["network.backbone=test_efficientnet", "network.weights=null"]
    bundle = ("export", f"checkpoint={delivered}/checkpoints/best.ckpt", f"bundle={small_disk}/bundle", "register=null")
    queue = ("clean", "step=queue", *data, "kinds=[]", "sample=3", f"folder={small_disk}/cleaning")
    catalog = ("prepare", *data, f"+data.catalog={small_disk}/catalog")
    for words in (bundle, queue):
        done = typed(*words)
        assert done.returncode == 0, done.stderr
    before = contents(small_disk)
    with full(small_disk):
        for words in (
            bundle,
            queue,
            ("clean", "step=export", "to=csv", *data, f"folder={small_disk}/cleaning"),
            catalog,
            ("prepare", *data, f"cache={small_disk}/cache"),
            ("mine", *mined, f"cache={small_disk}/cache"),
        ):
            sentence = told(typed(*words))
            assert FULL in sentence, (words, sentence)
            assert str(small_disk) in sentence, (words, sentence)
        assert contents(small_disk) == before
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for words in (bundle, catalog):
        sentence = told(typed(*words))
        assert READ_ONLY in sentence, (words, sentence)
        assert str(small_disk) in sentence, (words, sentence)


def test_an_album_with_anything_in_it_is_tagged_but_for_what_is_no_photo(typed: Typed, album: Path, delivered: Path):
    (album / "loop.jpg").symlink_to("loop.jpg")
    (album / "gone.jpg").symlink_to("nowhere")
    (album / "up").symlink_to("..")
    (album / "folder.jpg").mkdir()
    os.mkfifo(album / "pipe.jpg")
    done = typed(
        "predict",
        f"bundle={delivered / 'album.tagger'}",
        f"photos={album}",
        "output=tags.jsonl",
        "xmp=true",
        "own_thresholds={red: 0}",
    )
    assert done.returncode == 0, done.stderr
    errors = {Path(line["photo"]).name: line.get("error") for line in read_lines(Path("tags.jsonl"))}
    assert errors == dict.fromkeys(f"{number}.jpg" for number in range(4)) | {
        "gone.jpg": "missing",
        "loop.jpg": "cannot be opened (Too many levels of symbolic links)",
        "pipe.jpg": "not a file",
    }
    # A photo without a tag needs none.
    written, up_to_date = re.search(r"(\d) sidecars? written(?:, (\d) w)?", done.stdout).groups(default="0")
    assert int(written) + int(up_to_date) == 4
    assert done.stdout.count("left out") == 5, (
        "the link to a folder, and what cannot be read, by reason, with a warning"
    )


def test_a_second_predict_into_one_output_is_refused_and_the_first_writes_every_photo_once(
    typed: Typed, album: Path, delivered: Path
):
    for number in range(4, 200):
        shutil.copy(album / f"{number % 4}.jpg", album / f"{number}.jpg")
    words = [
        f"bundle={delivered / 'album.tagger'}",
        f"photos={album}",
        "output=tags.jsonl",
        "workers=0",
        "batch_size=1",
    ]
    first = commands.Popen(as_typed("predict", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not Path("tags.jsonl").exists() or not Path("tags.jsonl").stat().st_size:
        assert first.poll() is None, "the first one was too fast"
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    for more in ((), ("overwrite=true",)):
        sentence = told(typed("predict", *words, *more))
        assert f"tags.jsonl: another process is writing there (process {first.pid} on " in sentence
        assert "tagger.predict" in sentence
        assert "wait until it is done, or end it, or name another output" in sentence
    os.kill(first.pid, signal.SIGCONT)
    first.communicate(timeout=120)
    assert first.returncode == 0
    photos = [json.loads(line)["photo"] for line in Path("tags.jsonl").read_text().splitlines()]
    assert sorted(photos) == sorted(map(str, album.iterdir()))
    assert [path.name for path in Path().iterdir()] == ["tags.jsonl"]
