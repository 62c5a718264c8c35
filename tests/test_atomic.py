import errno
import os
import signal
import subprocess
import zipfile
from contextlib import suppress

import pytest

from tagger import atomic
from tagger.atomic import folder_whole, write_text, written_whole


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killed_while_writing(path):
    with written_whole(path) as file:
        file.write(b"half")
        file.flush()
        die()


def killed_while_filling(path):
    with folder_whole(path) as folder:
        (folder / "half").write_text("half")
        die()


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_a_killed_writer_left_is_removed_by_the_next_one_who_writes_into_the_folder(tmp_path, in_child):
    write_text(tmp_path / "a.txt", "before")
    assert in_child(lambda: killed_while_writing(tmp_path / "a.txt")) == -signal.SIGKILL
    assert len(everything(tmp_path)) == 2
    assert in_child(lambda: killed_while_filling(tmp_path / "album.bundle")) == -signal.SIGKILL
    assert len(everything(tmp_path)) == 3, "the file, the half folder and what is in it: the half file is gone"
    assert in_child(lambda: write_text(tmp_path / "b.txt", "another")) == 0
    assert everything(tmp_path) == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_what_a_living_writer_has_begun_and_what_others_hid_stays(tmp_path, in_child):
    hidden = [".a.txt.0123abcd", ".a.txt.0123abcd.part", ".mine.unfinished", "a.0123abcd.unfinished"]
    for name in hidden:
        (tmp_path / name).touch()
    with written_whole(tmp_path / "a.txt") as file, folder_whole(tmp_path / "album") as folder:
        (folder / "x").touch()
        assert in_child(lambda: write_text(tmp_path / "b.txt", "another")) == 0
        file.write(b"whole")
    assert everything(tmp_path) == sorted([*hidden, "a.txt", "album", "album/x", "b.txt"])
    assert (tmp_path / "a.txt").read_bytes() == b"whole"


def test_a_link_with_such_a_name_and_what_it_leads_to_stay(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo").touch()
    (tmp_path / ".a.0123abcd.unfinished").symlink_to(tmp_path / "precious")
    (tmp_path / ".b.0123abcd.unfinished").symlink_to(tmp_path / ".b.0123abcd.unfinished")
    write_text(tmp_path / "a.txt", "")
    assert len(everything(tmp_path)) == 5
    assert (tmp_path / "precious" / "photo").exists()


def test_a_full_disk_leaves_what_was_there_and_names_the_file(small_disk):
    write_text(small_disk / "a.txt", "before")
    with pytest.raises(OSError, match="No space left on device") as caught, written_whole(small_disk / "a.txt") as file:
        file.write(bytes(30_000_000))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(small_disk / "a.txt"))
    with (
        pytest.raises(OSError, match="No space left on device"),
        written_whole(small_disk / "a.zip") as file,
        zipfile.ZipFile(file, "w") as archive,
    ):
        archive.writestr("large", bytes(30_000_000))
    with pytest.raises(OSError, match="No space left on device"), folder_whole(small_disk / "album") as folder:
        (folder / "large").write_bytes(bytes(30_000_000))
    assert everything(small_disk) == ["a.txt"]
    assert (small_disk / "a.txt").read_text() == "before"


def test_a_folder_that_cannot_be_written_is_told_by_the_name_that_was_asked_for(small_disk):
    write_text(small_disk / "a.txt", "before")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError, match="Read-only") as caught:
        write_text(small_disk / "a.txt", "after")
    assert caught.value.filename == str(small_disk / "a.txt")
    with pytest.raises(OSError, match="Read-only") as caught, folder_whole(small_disk / "album"):
        pass
    assert caught.value.filename == str(small_disk / "album")


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "a.txt"):
        (tmp_path / "source").read_bytes()
    assert caught.value.filename == str(tmp_path / "source")


@pytest.mark.parametrize("can_swap", [True, False])
def test_a_folder_takes_the_place_of_the_one_before_and_of_what_a_link_leads_to(tmp_path, monkeypatch, can_swap):
    if not can_swap:
        monkeypatch.setattr(atomic, "_swapped", lambda *_: False)
    (tmp_path / "link").symlink_to(tmp_path / "album")
    for name, place in (("one", "album"), ("two", "album"), ("three", "link")):
        with folder_whole(tmp_path / place) as folder:
            (folder / name).touch()
    assert everything(tmp_path) == ["album", "album/three", "link"]
    assert (tmp_path / "album").stat().st_mode & 0o777 == 0o777 & ~atomic._umask()


def test_a_folder_that_is_there_stays_if_that_is_wanted(tmp_path):
    for name in ("one", "two"):
        with suppress(FileExistsError), folder_whole(tmp_path / "album", instead=False) as folder:
            (folder / name).touch()
    assert everything(tmp_path) == ["album", "album/one"]


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path):
    write_text(tmp_path / ("猫" * 85), "")
    assert everything(tmp_path) == ["猫" * 85]
