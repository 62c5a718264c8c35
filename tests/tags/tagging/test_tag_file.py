import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import UserError
from tagger.tags.runtime import Tag
from tagger.tags.tagging.tag_file import TagFile, TaggedPhoto, line, read_lines

BEACH = Tag("beach", "Strand; Küste", 0.75, "network", "scored 0.75, given from 0.50")
SEA = Tag("sea", "=HYPERLINK()", 0.5, "rule", "follows from beach")
PHOTOS = [
    TaggedPhoto(
        "a.jpg",
        [BEACH, Tag("sea", "=HYPERLINK()", 0.5, "rule", "follows from beach")],
        {"beach": 0.75, "sea": 0.5, "dog": 0.01},
    ),
    TaggedPhoto("<script>\n.jpg", error="not an image"),
    TaggedPhoto(os.fsdecode(b"\xff.jpg"), [BEACH]),
]


def written(path: Path, photos: list[TaggedPhoto], *, overwrite: bool = False) -> Path:
    with TagFile(path, overwrite=overwrite) as output:
        output.append(photos)
        output.finish()
    return path


def photos_of(path: Path) -> list[str]:
    return [tree["photo"] for tree in read_lines(path)]


def test_a_photo_is_one_json_line_whatever_its_name(tmp_path: Path):
    lines = written(tmp_path / "tags.jsonl", PHOTOS).read_bytes().splitlines()
    assert len(lines) == 3
    first, second, third = map(json.loads, lines)
    why = {"origin": "network", "because": "scored 0.75, given from 0.50"}
    assert first["tags"][0] == {"label": "beach", "name": "Strand; Küste", "score": 0.75, **why}
    assert first["scores"] == {"beach": 0.75, "sea": 0.5, "dog": 0.01}
    assert second == {"photo": "<script>\n.jpg", "tags": [], "error": "not an image"}
    assert os.fsencode(third["photo"]) == b"\xff.jpg"


@given(name=st.text(st.characters(min_codepoint=1)) | st.binary().map(os.fsdecode))
def test_every_name_comes_back_from_its_line(name: str):
    text = line(TaggedPhoto(name))
    assert text.count(b"\n") == 1
    assert json.loads(text)["photo"] == name


def test_what_is_done_is_known_when_the_file_is_opened_again(tmp_path: Path):
    path = written(tmp_path / "tags.jsonl", PHOTOS)
    with TagFile(path, overwrite=False) as output:
        assert all(photo.photo in output.done for photo in PHOTOS)
        assert "b.jpg" not in output.done
        output.append([TaggedPhoto("b.jpg")])
    assert photos_of(path) == [*(photo.photo for photo in PHOTOS), "b.jpg"]
    assert photos_of(written(path, [TaggedPhoto("c.jpg")], overwrite=True)) == ["c.jpg"]


def test_a_line_that_was_cut_anywhere_is_written_again(tmp_path: Path):
    whole = written(tmp_path / "tags.jsonl", PHOTOS).read_bytes()
    kept = len(whole.splitlines(keepends=True)[0])
    path = tmp_path / "cut.jsonl"
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with TagFile(path, overwrite=False) as output:
            output.append([photo for photo in PHOTOS if photo.photo not in output.done])
        assert path.read_bytes() == whole, f"cut after {end} bytes (the first line has {kept})"


@pytest.mark.parametrize(
    "text", ["# my notes", "# my notes\nmore\n", "# my notes\n{", '{"photo": 3, "tags": []}\n', "[1]\n", "null\n", "{}"]
)
def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path, text: str):
    path = tmp_path / "notes.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=r"notes\.jsonl"):
        TagFile(path, overwrite=False)
    assert path.read_text() == text


def test_a_format_that_is_unknown_and_a_folder_in_the_way_are_errors(tmp_path: Path):
    with pytest.raises(UserError, match=r"must end in \.jsonl, \.csv, \.parquet"):
        TagFile(tmp_path / "tags.xlsx", overwrite=False)
    (tmp_path / "tags.jsonl").mkdir()
    with pytest.raises(UserError, match="cannot be written: a folder is in the place of a file; "):
        TagFile(tmp_path / "tags.jsonl", overwrite=False)


def test_a_csv_table_has_a_row_per_photo(tmp_path: Path):
    path = written(tmp_path / "tags.csv", [*PHOTOS, TaggedPhoto("b.jpg", [Tag("=sea", "@sea", 0.5, "rule", "-")])])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        **{"photo": "a.jpg", "labels": "beach; sea", "names": "Strand; Küste; =HYPERLINK()", "scores": "0.75; 0.5"},
        **{"because": "scored 0.75, given from 0.50; follows from beach"},
        **{"error": "", "score beach": "0.75", "score sea": "0.5", "score dog": "0.01"},
    }
    assert [row["photo"] for row in rows] == ["a.jpg", "<script>\n.jpg", "\\udcff.jpg", "b.jpg"]
    assert rows[1]["error"] == "not an image"
    assert [rows[3][name] for name in ("labels", "names", "because")] == ["'=sea", "'@sea", "'-"], "no formula"


SIGNS = [
    "-lead.jpg",
    "+1.jpg",
    "@x.jpg",
    "=1+1.jpg",
    "'quoted.jpg",
    "＝wide.jpg",
    "\tab.jpg",
    " space.jpg",
    "a;b,c\n.jpg",
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_tables_are_joined_by_the_path_of_the_photo_whatever_it_begins_with(tmp_path: Path, suffix: str):
    for name in SIGNS:
        (tmp_path / name).write_bytes(b"a photo")
    path = written(tmp_path / f"tags{suffix}", [TaggedPhoto(name) for name in SIGNS])
    if suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            photos = [row["photo"] for row in csv.DictReader(file)]
    else:
        photos = photos_of(path) if suffix == ".jsonl" else pq.read_table(path)["photo"].to_pylist()
    assert photos == SIGNS
    assert all((tmp_path / photo).is_file() for photo in photos)


def test_a_parquet_table_holds_tags_scores_and_errors(tmp_path: Path):
    rows = pq.read_table(written(tmp_path / "tags.parquet", PHOTOS)).to_pylist()
    assert [row["photo"] for row in rows] == ["a.jpg", "<script>\n.jpg", "\\udcff.jpg"]
    assert rows[0]["tags"][0] == vars(BEACH)
    assert dict(rows[0]["scores"])["sea"] == 0.5
    assert [row["error"] for row in rows] == [None, "not an image", None]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_grows_from_its_lines(tmp_path: Path, suffix: str):
    path = written(tmp_path / f"tags{suffix}", PHOTOS[:1])
    written(path, PHOTOS[1:])
    assert path.read_bytes() == written(tmp_path / f"at once{suffix}", PHOTOS).read_bytes()
    (tmp_path / f"tags{suffix}.jsonl").unlink()
    with pytest.raises(UserError, match="so that nothing can be added"):
        TagFile(path, overwrite=False)


def test_a_second_writer_is_told_who_the_first_is_whatever_it_calls_the_file(tmp_path: Path):
    path = tmp_path / "tags.jsonl"
    (tmp_path / "link.jsonl").symlink_to(path)
    with TagFile(path, overwrite=False) as output:
        output.append(PHOTOS)
        for name in ("tags.jsonl", "link.jsonl"):
            for overwrite in (False, True):
                with pytest.raises(UserError, match=rf"process {os.getpid()} on .* or name another output"):
                    TagFile(tmp_path / name, overwrite=overwrite)
        assert len(photos_of(path)) == 3, "nothing was overwritten"
        TagFile(tmp_path / "other.jsonl", overwrite=False).close()
    with TagFile(tmp_path / "tags.csv", overwrite=False), pytest.raises(UserError, match="another process is writing"):
        TagFile(tmp_path / "tags.csv.jsonl", overwrite=False)
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")) == []


def test_of_a_writer_that_was_killed_only_its_lines_are_left(tmp_path: Path, in_child: Callable[..., int]):
    path = tmp_path / "tags.jsonl"

    def killed() -> None:
        with TagFile(path, overwrite=False) as output:
            output.append(PHOTOS)
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(killed) == -signal.SIGKILL
    with TagFile(path, overwrite=False) as output:
        assert len(output.done) == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["tags.jsonl"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_full_disk_leaves_whole_lines_and_the_table_as_it_was(small_disk: Path, suffix: str):
    path = written(small_disk / f"tags{suffix}", PHOTOS)
    before = path.read_bytes()
    (small_disk / "filling").write_bytes(bytes(14_000_000))
    many = [TaggedPhoto(f"{number}.jpg", [BEACH] * 40) for number in range(2000)]
    with pytest.raises(OSError, match="No space left") as full, TagFile(path, overwrite=False) as output:
        output.append(many)
        output.append(many)
        output.finish()
    assert full.value.filename == str(output.lines)
    assert photos_of(output.lines) == [photo.photo for photo in (*PHOTOS, *many)][: len(photos_of(output.lines))]
    assert not output.is_table or path.read_bytes() == before
    (small_disk / "filling").unlink()
    with TagFile(path, overwrite=False) as output:
        output.append([photo for photo in many if photo.photo not in output.done])
        output.finish()
    assert len(photos_of(output.lines)) == 2003
    assert sorted(entry.name for entry in small_disk.iterdir()) == sorted({path.name, output.lines.name})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_for_which_there_is_no_room_is_named(small_disk: Path, suffix: str, capfd: pytest.CaptureFixture[str]):
    path = small_disk / f"tags{suffix}"
    noise = np.random.default_rng(0)
    photos = [TaggedPhoto(f"{number}.jpg", error=noise.bytes(400).hex()) for number in range(10_000)]
    with pytest.raises(OSError, match="No space left") as full, TagFile(path, overwrite=False) as output:
        output.append(photos)
        (small_disk / "filling").write_bytes(bytes(9_000_000))
        output.finish()
    assert full.value.filename == str(path)
    assert capfd.readouterr().err == ""
    assert not path.exists()
