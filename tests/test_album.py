"""predict as typed with xmp=true and gallery=: a photo is never touched, a command that was cut is made good."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import pytest

from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.tagging.tag_file import read_lines

pytestmark = pytest.mark.slow

Typed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivered: Path) -> Typed:
    """Return a function that types the command in an empty folder that is not the repository."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        bundle = f"bundle={delivered / 'album.tagger'}"
        command = [sys.executable, "-m", "tagger.predict", bundle, "output=tags.jsonl", "workers=0", *words]
        return commands.run(command, capture_output=True, text=True, timeout=300, check=False)

    return run


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Draw a folder of photos, one of them damaged, with names that no program likes."""
    folder = tmp_path / "My pictures (2019), best"
    (folder / "sub").mkdir(parents=True)
    names = ["a.jpg", "<script>alert(1)<.jpg", "two\nlines.png", "sub/it's.webp", "a" * 251 + ".jpg"]
    for number, name in enumerate(names):
        draw_photo(plan_photo(0, number), size=96).save(folder / name)
    (folder / os.fsdecode(b"\xff\xfe.jpg")).write_bytes((folder / "a.jpg").read_bytes())
    (folder / "bad.jpg").write_bytes(b"no photo")
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file that is no sidecar."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".xmp"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def sidecars(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.xmp")}


def exif(*words: str | Path) -> Any:
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    done = subprocess.run(["exiftool", "-j", *map(str, words)], capture_output=True, check=False)
    return json.loads(done.stdout) if done.stdout else None


def test_sidecars_say_what_the_lines_say_and_no_photo_is_touched(typed: Typed, album: Path):
    before = hashes(album)
    done = typed(f"photos={album}", "xmp=true", "own_thresholds={red: 0, blue: 0.5}")
    assert done.returncode == 0, done.stderr
    assert "5 sidecars written, 0 were up to date" in done.stdout
    assert "1 photos: have a sidecar that cannot be written: File name too long" in done.stdout
    assert hashes(album) == before
    (read,) = exif("-XMP:Subject", album / "a.jpg.xmp")
    line = next(tree for tree in read_lines(Path("tags.jsonl")) if tree["photo"].endswith("/a.jpg"))
    named = [read["Subject"]] if isinstance(read["Subject"], str) else read["Subject"]
    assert named == [tag["name"] for tag in line["tags"]]
    assert "Red" in named
    written = sidecars(album)
    again = typed(f"photos={album}", "xmp=true", "own_thresholds={red: 0, blue: 0.5}")
    assert "0 sidecars written, 5 were up to date" in again.stdout
    assert "5 left out: a sidecar" in again.stdout
    assert sidecars(album) == written


def test_photos_that_were_tagged_before_get_the_sidecars_that_are_missing(typed: Typed, album: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere album"
    elsewhere.mkdir()
    shutil.copy(album / "a.jpg", elsewhere / "b.jpg")
    red = "own_thresholds={red: 0}"
    assert typed(f"photos={elsewhere}", red).returncode == 0
    assert typed(f"photos={album}", red).returncode == 0
    done = typed(f"photos={album}", red, "xmp=true")
    assert "5 sidecars written" in done.stdout
    (album / "a.jpg.xmp").unlink()
    exif("-q", "-overwrite_original", "-XMP-xmp:Rating=3", "-XMP-dc:Subject+=mine", album / "sub" / "it's.webp.xmp")
    done = typed(f"photos={album}", red, "xmp=true")
    # The new one, and the one that repeats "mine" where programs look that read no flat keywords.
    assert "2 sidecars written, 3 were up to date" in done.stdout
    # What the command does not name is not touched, though its lines are in the same file.
    assert sidecars(elsewhere) == {}
    (read,) = exif("-XMP:all", album / "sub" / "it's.webp.xmp")
    assert read["Rating"] == 3
    assert "mine" in read["Subject"]


def test_the_page_shows_what_the_lines_say(typed: Typed, album: Path):
    done = typed(f"photos={album}", "gallery=my pages, all/album (1).html", "gallery_limit=4")
    assert done.returncode == 0, done.stderr
    assert "gallery  my pages, all/album (1).html, 4 photos" in done.stdout
    assert "2 more photos are only named in it: gallery_limit=4" in done.stdout
    page = Path("my pages, all/album (1).html").read_text(encoding="utf-8")
    assert page.count('class="photo"') == 4
    lines = [tree for tree in read_lines(Path("tags.jsonl")) if "error" not in tree]
    assert all(len(tree["near"]) + len(tree["tags"]) <= 4 for tree in lines)
    assert any(tree["near"] for tree in lines)


def test_a_page_is_made_of_what_was_tagged_before(typed: Typed, album: Path):
    assert typed(f"photos={album}").returncode == 0
    done = typed(f"photos={album}", "gallery=album.html")
    assert "7 photos were there already" in done.stdout
    assert "gallery  album.html, 6 photos" in done.stdout


def test_a_place_that_is_taken_is_said_before_anything_is_tagged(typed: Typed, album: Path):
    Path("mine.html").write_text("<p>mine")
    done = typed(f"photos={album}", "gallery=mine.html")
    assert done.returncode == 1
    assert "error: gallery=mine.html is there and is no gallery" in done.stderr
    assert not Path("tags.jsonl").exists()
    assert Path("mine.html").read_text() == "<p>mine"


def test_photos_behind_a_url_have_a_place_on_the_page_and_no_sidecar(typed: Typed, album: Path):
    done = typed(f"photos=file://{album}/a.jpg", "gallery=a.html", "xmp=true")
    assert done.returncode == 0, done.stderr
    assert "1 photos: have no sidecar, they are behind a URL" in done.stdout
    assert "gallery  a.html, 1 photos" in done.stdout
    assert sidecars(album) == {}


def test_an_album_that_is_not_ours_to_write_is_tagged_all_the_same(typed: Typed, album: Path):
    """The administrator may write everywhere, so what stands in the way here is a folder of the sidecar's name."""
    (album / "a.jpg.xmp").mkdir()
    done = typed(f"photos={album}/a.jpg", "xmp=true")
    assert done.returncode == 0, done.stderr
    assert "1 photos: have a sidecar that was left as it is: not a file" in done.stdout
