import os
import socket
import subprocess
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from PIL import Image

from tagger.data.finding import found
from tagger.data.inspection import inspect
from tagger.data.photo import BadPhoto, decode, open_photo
from tagger.data.skipped import Skipped
from tagger.data.sources.paths import photos_by_folder
from tagger.errors import UserError


@pytest.fixture
def album(tmp_path, monkeypatch):
    """Make a folder with photos at two depths, other files, a hidden folder and a link that leads back up."""
    for name in ("b.JPG", "a.png", "2019/c.heic", "2019/notes.txt", ".thumbnails/a.png", "2019/[x].jpg"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "album" / name).touch()
    (tmp_path / "album" / "loop").symlink_to(tmp_path / "album")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "album"


def names(*places):
    return list(found(places, Skipped()))


def test_a_folder_is_all_its_photos_in_the_order_of_their_names(album):
    assert names("album") == ["album/2019/[x].jpg", "album/2019/c.heic", "album/a.png", "album/b.JPG"]


def test_what_is_left_out_is_counted(album):
    skipped = Skipped()
    list(found(["album"], skipped))
    assert skipped.counts == {"hidden": 1, "no photo by its name": 1, "a link to a folder": 1}
    assert skipped.examples["no photo by its name"] == ["album/2019/notes.txt"]


def test_a_pattern_is_what_it_matches_and_a_file_is_itself_whatever_its_name(album):
    assert names("album/*.png") == ["album/a.png"]
    assert names("album/**/*.jpg") == ["album/2019/[x].jpg"], "a link back up is not followed"
    assert names("*/*") == names("album/*.*") == ["album/a.png", "album/b.JPG"]
    assert sorted(names("album/**")) == [*names("**/2019/*.*"), "album/a.png", "album/b.JPG"]
    assert names("album/.t*/*") == ["album/.thumbnails/a.png"]
    assert names(f"{album}/20??/*.heic") == [f"{album}/2019/c.heic"]
    assert names("album/2019/[x].jpg") == ["album/2019/[x].jpg"]


SYSTEMS = ("@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#snapshot")


@pytest.mark.parametrize("kept", [*(f"{name}/x.jpg" for name in (*SYSTEMS, "@Recycle", "RECYCLER")), "._a.png"])
@pytest.mark.parametrize("place", ["album", "album/**/*.*", "album/**"])
def test_what_systems_keep_beside_photos_is_left_out_and_counted(album, kept, place):
    before = names(place)
    for folder in (album, album / "2019"):
        (folder / kept).parent.mkdir(exist_ok=True)
        (folder / kept).touch()
    skipped = Skipped()
    assert list(found([place], skipped)) == before
    reason = "hidden" if kept.startswith(".") else "kept by a system, not by a person"
    assert sum(example.startswith(f"album/{kept[:5]}") for example in skipped.examples[reason]) == 1
    assert sum(example.startswith(f"album/2019/{kept[:5]}") for example in skipped.examples[reason]) == 1


def test_what_a_system_keeps_is_found_by_its_own_name(album):
    (album / "@eaDir").mkdir()
    (album / "@eaDir" / "x.jpg").touch()
    for place in ("album/@eaDir", "album/@eaDir/x.jpg", "album/@eaDir/*", "album/@*/*"):
        assert names(place) == ["album/@eaDir/x.jpg"], place


def test_what_systems_keep_is_left_out_behind_a_url_too():
    store = fsspec.filesystem("memory")
    store.pipe(dict.fromkeys(("/nas/1.jpg", "/nas/@eaDir/1.jpg", "/nas/a/#recycle/2.jpg", "/nas/a/._3.jpg"), b"1"))
    try:
        for place, counted in (("memory://nas", 3), ("memory://nas/**", 3)):
            skipped = Skipped()
            photos = [name for name in found([place], skipped) if name.endswith(".jpg")]
            assert photos == ["memory:///nas/1.jpg"]
            assert sum(skipped.counts[reason] for reason in ("hidden", "kept by a system, not by a person")) >= counted
        assert names("memory://nas/@eaDir/*") == ["memory:///nas/@eaDir/1.jpg"]
    finally:
        store.rm("/nas", recursive=True)


def test_a_list_of_photos_may_be_a_text_file(album, tmp_path):
    (tmp_path / "photos.txt").write_text("\ufeffalbum/b.JPG\r\n\nalbum/gone.jpg\n", encoding="utf-8")
    assert names("photos.txt", "album/a.png") == ["album/b.JPG", "album/gone.jpg", "album/a.png"]


def test_the_users_home_is_known(album, monkeypatch):
    monkeypatch.setenv("HOME", str(album))
    assert names("~/2019") == [f"{album}/2019/[x].jpg", f"{album}/2019/c.heic"]


@pytest.mark.parametrize("place", ["nowhere", "album/*.webp"])
def test_a_place_without_anything_is_an_error_that_names_it(album, place):
    with pytest.raises(UserError, match=r"photos=(nowhere|album/\*\.webp): "):
        names(place)


def test_names_may_hold_anything_that_a_file_system_allows(tmp_path):
    wanted = sorted([b"<script>alert(1)<.jpg", b"two\nlines.jpg", b"\xff\xfe.jpg", b"a" * 251 + b".jpg"])
    for name in wanted:
        (tmp_path / os.fsdecode(name)).touch()
    assert sorted(os.fsencode(path).rpartition(b"/")[2] for path in names(str(tmp_path))) == wanted


def test_a_url_is_a_folder_a_pattern_or_a_photo():
    store = fsspec.filesystem("memory")
    store.pipe({"/found/a/1.jpg": b"1", "/found/a/notes.md": b"2", "/found/2.png": b"3"})
    try:
        assert names("memory://found") == ["memory:///found/2.png", "memory:///found/a/1.jpg"]
        assert names("memory://found/*/*.jpg") == ["memory:///found/a/1.jpg"]
        assert names("memory://found/2.png") == ["memory://found/2.png"]
    finally:
        store.rm("/found", recursive=True)


def test_a_store_that_does_not_exist_is_an_error_that_names_it():
    with pytest.raises(UserError, match=r"photos=nostore://x/y cannot be listed"):
        names("nostore://x/y")


@pytest.fixture
def strange(tmp_path):
    """Make a folder of what file systems hold beside photos, all of it called like a photo."""
    folder = tmp_path / "strange"
    (folder / "folder.jpg" / "inside").mkdir(parents=True)
    (folder / "folder.jpg" / "inside" / "a.jpg").touch()
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "one.jpg").symlink_to("two.jpg")
    (folder / "two.jpg").symlink_to("one.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "up.jpg").symlink_to("..")
    (folder / "through.jpg").symlink_to("a.jpg/b.jpg")
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket.jpg"))
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no photo")
    return folder


WRONG = {
    "circle.jpg": "Too many levels of symbolic links",
    "one.jpg": "Too many levels of symbolic links",
    "two.jpg": "Too many levels of symbolic links",
    "dangling.jpg": "missing",
    "device.jpg": "not a file",
    "through.jpg": "missing",
    "pipe.jpg": "not a file",
    "socket.jpg": "not a file",
    "empty.jpg": "empty file",
    "text.jpg": "not an image",
    "folder.jpg/inside/a.jpg": "empty file",
}


def test_whatever_is_called_like_a_photo_stops_nobody_and_is_told_one_by_one(strange, tmp_path):
    skipped = Skipped()
    photos = {os.path.relpath(photo, strange) for photo in found([str(strange)], skipped)}
    assert photos == set(WRONG)
    assert skipped.counts == {"a link to a folder": 1}
    for name, reason in WRONG.items():
        with pytest.raises(BadPhoto, match=reason):
            open_photo(strange / name)
    assert set(names(f"{strange}/*.jpg")) == {f"{strange}/{name}" for name in WRONG if "/" not in name}
    assert set(names(f"{strange}/**/*.jpg")) == {f"{strange}/{name}" for name in WRONG}
    table = inspect(pa.array([*WRONG, "up.jpg/strange/empty.jpg"]), strange, cache=tmp_path / "cache", workers=0)
    errors = table["error"].to_pylist()
    assert errors.pop() == f"{strange}/up.jpg/strange/empty.jpg: empty file"
    outside = {"device.jpg": "leaves the folder", "through.jpg": "missing"}
    for name, error in zip(WRONG, errors, strict=True):
        assert (outside | WRONG | outside)[name] in error
    (keyword, below), *others = photos_by_folder(strange, skipped)
    assert (keyword, below.to_pylist(), others) == ("folder.jpg", ["folder.jpg/inside/a.jpg"], [])


def test_folders_and_files_that_nobody_may_read_are_counted(album, in_child):
    (album / "2019").chmod(0)
    (album / "a.png").write_text("a photo")
    (album / "a.png").chmod(0)

    def check():
        skipped = Skipped()
        assert list(found(["album"], skipped)) == ["album/a.png", "album/b.JPG"]
        assert skipped.examples["folder cannot be read: Permission denied"] == ["album/2019"]
        assert names("album/**/*.png") == ["album/a.png"]
        with pytest.raises(UserError, match="photos=album/2019 cannot be read: Permission denied"):
            names("album/2019")
        with pytest.raises(BadPhoto, match="Permission denied"):
            open_photo("album/a.png")
        assert [name for name, _ in photos_by_folder(album.parent, skipped)] == ["album"]
        assert skipped.counts["folder cannot be read: Permission denied"] == 2

    assert in_child(check, user=65534) == 0


def test_folders_may_lie_in_each_other_deeper_than_python_calls_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        Path("a").mkdir()
        os.chdir("a")
    Path("x.jpg").touch()
    os.chdir(tmp_path)
    assert names("a") == ["a/" * 1200 + "x.jpg"]
    # Python's own removal calls itself.
    subprocess.run(["rm", "-r", "a"], check=True)


def test_a_photo_that_changes_or_goes_while_it_is_read_is_a_bad_one(tmp_path):
    path = tmp_path / "a.jpg"
    Image.effect_noise((400, 300), 90).save(path)
    whole = path.read_bytes()
    with open_photo(path) as opened:
        path.write_bytes(whole[:500])
        with pytest.raises(BadPhoto, match="truncated"):
            decode(opened)
    path.write_bytes(whole)
    with open_photo(path) as opened:
        path.unlink()
        assert decode(opened).size == (400, 300), "it is open"
    with pytest.raises(BadPhoto, match="missing"):
        open_photo(path)
