"""Pools: listed anew every time, read once, decoded never."""

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from tagger.data.skipped import Skipped
from tagger.errors import UserError
from tagger.mining import pool as pools
from tagger.mining.pool import TWICE, Pool, read_pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos, one of them twice."""
    (folder := tmp_path / "photos").mkdir()
    for name, grey in {"a": 10, "b": 20, "c": 30}.items():
        Image.new("RGB", (8, 8), (grey,) * 3).save(folder / f"{name}.png")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "copy.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "notes.txt").write_text("no photo")
    return folder


def read(*places: Path | str, cache: Path, skipped: Skipped | None = None) -> Pool:
    return read_pool([str(place) for place in places], cache=cache, skipped=skipped or Skipped())


def test_it_has_every_content_once_under_its_first_name(folder: Path, tmp_path: Path):
    skipped = Skipped()
    pool = read(folder, cache=tmp_path / "cache", skipped=skipped)
    assert [pool.place(photo) for photo in range(len(pool))] == [str(folder / f"{name}.png") for name in "abc"]
    assert pool.id(1) == hashlib.sha256((folder / "b.png").read_bytes()).hexdigest()[:32]
    assert skipped.counts[TWICE] == 1
    assert skipped.examples[TWICE] == [str(folder / "deeper" / "copy.png")]


def test_a_photo_is_read_again_only_if_it_changed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = read(folder, cache=tmp_path / "cache")
    asked: list[str] = []
    key = pools._key

    def noted(place: str) -> bytes | str:
        asked.append(Path(place).name)
        return key(place)

    monkeypatch.setattr(pools, "_key", noted)
    Image.new("RGB", (9, 9)).save(folder / "b.png")
    (folder / "c.png").unlink()
    Image.new("RGB", (7, 7)).save(folder / "d.png")
    after = read(folder, cache=tmp_path / "cache")
    assert asked == ["b.png", "d.png"]
    assert [Path(after.place(photo)).name for photo in range(len(after))] == ["a.png", "b.png", "d.png"]
    assert after.id(0) == before.id(0) and after.id(1) != before.id(1)


def test_photos_are_not_decoded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("PIL.Image.open", None)
    (folder / "broken.jpg").write_bytes(b"no photo")
    assert len(read(folder, cache=tmp_path / "cache")) == 4, "what is broken shows when it is decoded"


def test_what_cannot_be_read_is_counted(folder: Path, tmp_path: Path):
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    skipped = Skipped()
    assert len(read(folder, cache=tmp_path / "cache", skipped=skipped)) == 3
    assert skipped.counts["cannot be read"] == 1
    assert skipped.counts["not a file"] == 1


def test_names_may_be_no_utf8(folder: Path, tmp_path: Path):
    odd = os.fsdecode(b"caf\xe9.png")
    (folder / "c.png").rename(folder / odd)
    for _ in range(2):
        pool = read(folder, cache=tmp_path / "cache")
        assert {Path(pool.place(photo)).name for photo in range(len(pool))} == {"a.png", "b.png", odd}


def test_a_cache_that_is_damaged_is_made_again(folder: Path, tmp_path: Path):
    read(folder, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").glob("pool-*.parquet")
    kept.write_bytes(b"PAR1")
    assert len(read(folder, cache=tmp_path / "cache")) == 3


def test_hashes_read_before_an_interruption_are_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pools, "CHUNK", 2)
    key, asked = pools._key, []

    def interrupted(place: str) -> bytes | str:
        asked.append(Path(place).name)
        if place.endswith("copy.png"):
            raise KeyboardInterrupt
        return key(place)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pools, "_key", interrupted)
        read(folder, cache=tmp_path / "cache")
    asked.clear()
    monkeypatch.setattr(pools, "_key", lambda place: asked.append(Path(place).name) or key(place))
    assert len(read(folder, cache=tmp_path / "cache")) == 3
    assert sorted(asked) == ["c.png", "copy.png"], "two at a time are listed: those of the first two were kept"


def test_a_place_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="nowhere: there is no such file or folder"):
        read(tmp_path / "nowhere", cache=tmp_path / "cache")


def test_an_empty_folder_is_an_empty_pool(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert len(read(tmp_path / "empty", cache=tmp_path / "cache")) == 0


def test_photos_behind_urls_are_read(folder: Path, tmp_path: Path):
    import fsspec

    filesystem = fsspec.filesystem("memory")
    filesystem.pipe_file("/pool/a.png", (folder / "a.png").read_bytes())
    pool = read("memory://pool", cache=tmp_path / "cache")
    assert pool.place(0).endswith("pool/a.png")
    assert pool.id(0) == read(folder, cache=tmp_path / "cache").id(0)
    filesystem.rm("/pool", recursive=True)
