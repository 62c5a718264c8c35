"""Sidecars beside photos: which file, what is left alone, and what the real exiftool makes of them."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tagger.errors import UserError
from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.xmp.keywords import Keywords, Namer
from tagger.tags.xmp.sidecars import Sidecars, only_here, write_sidecar

LABELS = [
    BundleLabel("nature", {"en": "nature"}, 0.5),
    BundleLabel("beach", {"en": "beach", "zh": "沙滩"}, 0.5, groups=("nature",)),
    BundleLabel("dog", {"en": "dog"}, 0.5, groups=("animal",)),
    BundleLabel("animal", {"en": "animal|beast"}, 0.5),
]
BEACH = {"label": "beach", "name": "beach", "score": 0.9}
DOG = {"label": "dog", "name": "dog", "score": 0.8}


def line(photo: Path | str, *tags: dict[str, Any]) -> dict[str, Any]:
    return {"photo": str(photo), "tags": list(tags)}


def sidecars(*lines: dict[str, Any]) -> Sidecars:
    with Sidecars(Namer(LABELS, "en")) as made:
        made.write(lines)
    return made


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "beach.jpg"
    path.write_bytes(b"a photo")
    return path


def test_a_sidecar_is_called_as_its_photo_and_the_photo_is_not_touched(photo: Path):
    before = photo.stat()
    assert sidecars(line(photo, BEACH)).written == 1
    assert sorted(path.name for path in photo.parent.iterdir()) == ["beach.jpg", "beach.jpg.xmp"]
    assert photo.read_bytes() == b"a photo"
    assert photo.stat().st_mtime_ns == before.st_mtime_ns


def test_a_second_time_writes_nothing(photo: Path):
    sidecars(line(photo, BEACH))
    before = (photo.parent / "beach.jpg.xmp").stat()
    again = sidecars(line(photo, BEACH))
    assert (again.written, again.unchanged) == (0, 1)
    after = (photo.parent / "beach.jpg.xmp").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_photo_that_could_not_be_read_keeps_the_sidecar_it_has(photo: Path):
    sidecars(line(photo, BEACH))
    made = sidecars({"photo": str(photo), "tags": [], "error": "truncated"})
    assert (made.written, made.unchanged) == (0, 0)
    assert b"beach" in (photo.parent / "beach.jpg.xmp").read_bytes()


def test_the_sidecar_of_lightroom_stays_and_is_told_of(photo: Path):
    theirs = photo.with_suffix(".xmp")
    theirs.write_bytes(b"anything")
    made = sidecars(line(photo, BEACH))
    assert made.written == 1
    assert list(made.of_lightroom.examples.values()) == [[str(theirs)]]
    assert theirs.read_bytes() == b"anything"


def test_what_is_no_sidecar_is_left_as_it_is_and_the_others_are_written(photo: Path, tmp_path: Path):
    broken = tmp_path / "broken.jpg"
    broken.with_name("broken.jpg.xmp").write_bytes(b"<x:xmpmeta")
    made = sidecars(line(broken, BEACH), line("s3://bucket/a.jpg", BEACH), line(photo, BEACH))
    assert made.written == 1
    assert broken.with_name("broken.jpg.xmp").read_bytes() == b"<x:xmpmeta"
    reasons = dict(made.left_alone.counts)
    assert reasons.pop("have no sidecar, they are behind a URL") == 1
    assert [reason.split(": ")[1] for reason in reasons] == ["no XML"]
    assert "1 sidecars written, 0 were up to date" in made.lines()
    assert "1 photos: have no sidecar, they are behind a URL, for instance s3://bucket/a.jpg" in made.lines()


def test_links_pipes_folders_and_what_is_write_protected_are_left_alone(tmp_path: Path):
    target = tmp_path / "target.xmp"
    target.write_bytes(b"<a/>")
    (tmp_path / "link.xmp").symlink_to(target)
    (tmp_path / "folder.xmp").mkdir()
    os.mkfifo(tmp_path / "pipe.xmp")
    write_sidecar(tmp_path / "protected.xmp", Keywords(("dog",)), new_mode=0o644)
    (tmp_path / "protected.xmp").chmod(0o444)
    made = sidecars(*(line(tmp_path / name, BEACH) for name in ("link", "folder", "pipe", "protected")))
    left = "have a sidecar that was left as it is"
    assert made.left_alone.counts == {f"{left}: a link": 1, f"{left}: not a file": 2, f"{left}: write-protected": 1}
    assert target.read_bytes() == b"<a/>"


def test_a_folder_that_cannot_be_written_and_a_name_that_is_too_long_are_counted(tmp_path: Path):
    long = "a" * 251 + ".jpg"
    made = sidecars(line(tmp_path / "gone" / "a.jpg", BEACH), line(tmp_path / long, BEACH))
    not_written = "have a sidecar that cannot be written"
    assert made.left_alone.counts == {
        f"{not_written}: No such file or directory": 1,
        f"{not_written}: File name too long": 1,
    }
    assert list(tmp_path.iterdir()) == []


def test_sidecars_that_the_disk_refuses_are_an_error_in_the_end_and_the_others_are_written(
    photo: Path, small_disk: Path
):
    with (small_disk / "filling").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(65536))
    made = sidecars(line(photo, BEACH), line(small_disk / "a.jpg", BEACH), line(small_disk / "b.jpg", DOG))
    assert (made.written, made.left_alone.counts) == (1, {})
    with pytest.raises(
        UserError, match=r"2 sidecars could not be written, .*/disk/a\.jpg\.xmp: the disk is full; make"
    ):
        made.check()
    assert [entry.name for entry in small_disk.iterdir()] == ["filling"]
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UserError, match=r"1 sidecars could not be written, .* the disk is read-only; "):
        sidecars(line(small_disk / "a.jpg", BEACH)).check()


def test_only_one_command_writes_the_sidecars_of_a_folder(tmp_path: Path, small_disk: Path):
    (tmp_path / "album").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "album")
    with only_here([str(tmp_path / "album"), f"{tmp_path}/album/", f"{tmp_path}/**/*.jpg", "memory://album"]):
        with pytest.raises(UserError, match=rf"process {os.getpid()} on .*, or leave xmp=true out"):
            only_here([str(tmp_path / "link")]).__enter__()
        with only_here([str(small_disk)]):
            pass
    assert list((tmp_path / "album").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with only_here([str(small_disk)]):
        pass


def test_a_sidecar_keeps_its_permissions_and_an_empty_one_is_a_new_one(photo: Path):
    path = photo.with_name("beach.jpg.xmp")
    path.touch(mode=0o600)
    assert sidecars(line(photo, BEACH)).written == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_new_sidecars_may_be_read_by_whom_the_umask_allows_and_it_stays_as_it_is(tmp_path: Path):
    before = os.umask(0o027)
    try:
        sidecars(*(line(tmp_path / f"{number}.jpg", BEACH) for number in range(100)))
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}
    finally:
        assert os.umask(before) == 0o027


HOSTILE = ["<script>.jpg", "two\nlines.jpg", "-rf.jpg", "a|b;c.jpg", "%d%f.jpg", "x" * 247 + ".jpg", "no ending"]


@pytest.mark.parametrize("name", [*map(os.fsencode, HOSTILE), b"\xff\xfe.jpg"])
def test_any_name_of_a_photo_gives_a_sidecar(tmp_path: Path, name: bytes):
    photo = tmp_path / os.fsdecode(name)
    assert sidecars(line(photo, BEACH)).written == 1
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [name + b".xmp"]


# --- the real exiftool --------------------------------------------------------------------------------------------


@pytest.fixture
def exiftool() -> str:
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed")
    return program


def told(exiftool: str, path: Path, *words: str) -> dict[str, Any]:
    command = [exiftool, "-j", "-G1", *(words or ["-XMP:all"]), str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return dict(json.loads(done.stdout)[0])


def typed(exiftool: str, path: Path, *words: str) -> None:
    subprocess.run([exiftool, "-q", "-overwrite_original", *words, str(path)], check=True)


def test_exiftool_reads_what_was_written(exiftool: str, tmp_path: Path):
    sidecars(line(tmp_path / "a.jpg", {**BEACH, "name": "沙滩 & <b>"}, DOG))
    read = told(exiftool, tmp_path / "a.jpg.xmp")
    assert read["XMP-dc:Subject"] == ["沙滩 & <b>", "dog"]
    assert read["XMP-lr:HierarchicalSubject"] == ["nature|沙滩 & <b>", "animal¦beast|dog"]
    assert read["XMP-digiKam:TagsList"] == ["nature/沙滩 & <b>", "animal¦beast/dog"]
    assert "Warning" not in told(exiftool, tmp_path / "a.jpg.xmp", "-validate", "-warning", "-a")


def test_what_exiftool_wrote_before_survives_and_ours_is_replaced(exiftool: str, tmp_path: Path):
    path = tmp_path / "a.jpg.xmp"
    words = [
        "-XMP-xmp:Rating=4",
        "-XMP-dc:Subject=grandma",
        "-XMP-dc:Subject=beach",
        "-XMP-digiKam:TagsList=who/grandma",
    ]
    words += ["-XMP-dc:Description=our <last> summer", "-XMP-xmpMM:HistoryAction=cropped"]
    typed(exiftool, path, *words)
    before = told(exiftool, path)
    assert sidecars(line(tmp_path / "a.jpg", BEACH, DOG)).written == 1
    read = told(exiftool, path)
    assert read["XMP-dc:Subject"] == ["grandma", "beach", "dog"]
    assert read["XMP-digiKam:TagsList"] == ["who/grandma", "nature/beach", "animal¦beast/dog"]
    for name in ("XMP-xmp:Rating", "XMP-dc:Description", "XMP-xmpMM:HistoryAction"):
        assert read[name] == before[name]
    assert sidecars(line(tmp_path / "a.jpg")).written == 1
    assert told(exiftool, path) == before


def test_what_exiftool_writes_afterwards_survives_and_we_still_know_what_is_ours(exiftool: str, tmp_path: Path):
    path = tmp_path / "a.jpg.xmp"
    sidecars(line(tmp_path / "a.jpg", BEACH, DOG))
    typed(exiftool, path, "-XMP-xmp:Rating=5", "-XMP-dc:Subject+=grandma", "-XMP-dc:Subject-=dog")
    # The person took "dog" out: it stays out of the list that they edited. "grandma" is repeated in the two others.
    assert sidecars(line(tmp_path / "a.jpg", BEACH, DOG)).written == 1
    assert told(exiftool, path)["XMP-dc:Subject"] == ["beach", "grandma"]
    assert told(exiftool, path)["XMP-digiKam:TagsList"] == ["nature/beach", "animal¦beast/dog", "grandma"]
    assert sidecars(line(tmp_path / "a.jpg", BEACH, DOG)).unchanged == 1
    assert sidecars(line(tmp_path / "a.jpg", DOG)).written == 1
    read = told(exiftool, path)
    assert read["XMP-dc:Subject"] == "grandma"
    assert read["XMP-lr:HierarchicalSubject"] == ["animal¦beast|dog", "grandma"]
    assert read["XMP-xmp:Rating"] == 5


def test_exiftool_copies_the_keywords_into_a_photo_as_the_documents_say(exiftool: str, tmp_path: Path):
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    sidecars(line(tmp_path / "a.jpg", BEACH, DOG))
    words = ["-tagsfromfile", "%d%f.%e.xmp", "-Subject", "-HierarchicalSubject", "-ext", "jpg"]
    typed(exiftool, tmp_path, *words)
    assert told(exiftool, tmp_path / "a.jpg")["XMP-dc:Subject"] == ["beach", "dog"]
