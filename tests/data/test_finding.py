import os

import fsspec
import pytest

from tagger.data.finding import found
from tagger.data.skipped import Skipped
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
