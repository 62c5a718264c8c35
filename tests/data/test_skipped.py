"""What is left out is said, one line per reason, with a warning and its likely cause where it is much."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tagger.data.datamodule import PhotoData
from tagger.data.inspection import inspect
from tagger.data.missing import likely_cause
from tagger.data.skipped import Skipped
from tagger.data.sources.listing import Listing

Make = Callable[..., PhotoData]


def left_out(data: PhotoData) -> list[str]:
    _ = data.labelled
    return list(data.left_out.lines())


def test_nothing_is_said_of_a_data_set_that_is_whole(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(40))
    assert left_out(data) == []
    assert data.left_out.figures() == {"photos/listed": 40, "photos/left_out": 0}


def test_photos_whose_letters_case_differs_are_counted_in_one_line_and_the_cause_is_named(
    colours: Callable[..., Path], photo_data: Make
):
    root = colours(40)
    images = root / "colours" / "images"
    for number in range(8):
        (images / f"{number:03}.png").rename(images / f"{number:03}.PNG")
    data = photo_data(root)
    assert left_out(data) == [
        f"8 of 40 photos left out: missing, for instance {images}/000.png",
        "warning: more than a tenth of the photos is left out. "
        f"The letters' case differs: {images} has 000.PNG, and not 000.png",
    ]
    assert data.left_out.figures() == {"photos/listed": 40, "photos/left_out": 8, "photos/left_out_missing": 8}


def test_a_tenth_is_no_warning_yet(colours: Callable[..., Path], photo_data: Make):
    root = colours(40)
    for number in range(4):
        (root / "colours" / "images" / f"{number:03}.png").unlink()
    (line,) = left_out(photo_data(root))
    assert line.startswith("4 of 40 photos left out: missing, for instance ")


def test_what_a_folder_of_folders_leaves_out_is_said_too(colours: Callable[..., Path], photo_data: Make):
    root = colours(40)
    for name in ("red", "green", "blue", "grey"):
        (root / "sorted" / name).mkdir(parents=True)
    for number, photo in enumerate(sorted((root / "colours" / "images").iterdir())):
        photo.rename(root / "sorted" / ("red", "green", "blue", "grey")[number % 4] / photo.name)
    (root / "sorted" / "red" / "notes.txt").write_text("a note")
    data = photo_data(root, source=Listing(folder="sorted", layout="folders", unlisted="absent"))
    assert left_out(data) == [f"1 left out: not a photo by its name, for instance {root}/sorted/red/notes.txt"]
    assert data.left_out.figures()["photos/left_out"] == 0, "a note is no photo"


@pytest.mark.parametrize(
    ("there", "listed", "cause"),
    [
        (unicodedata.normalize("NFD", "Jürgen.jpg"), "Jürgen.jpg", "The Unicode normal form differs"),
        ("2019/IMG_1.jpg", "2019/IMG_1.JPG", "The letters' case differs: album/2019 has IMG_1.jpg"),
        ("Urlaub/1.jpg", "urlaub/1.jpg", "The letters' case differs: album has Urlaub, and not urlaub"),
        ("1.png", "1.jpg", "The ending differs: album has 1.png"),
        ("1.jpg", "album/1.jpg", "There is no album in album: is it the right root folder"),
    ],
)
def test_the_likely_cause_of_a_missing_photo_is_what_is_there_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, listed: str, cause: str
):
    monkeypatch.chdir(tmp_path)
    (Path("album") / there).parent.mkdir(parents=True)
    (Path("album") / there).write_bytes(b"a photo")
    assert likely_cause(["s3://bucket/1.jpg", f"album/{there}", f"album/{listed}"]).startswith(cause)


def test_what_differs_from_photo_to_photo_makes_no_line_of_its_own(tmp_path: Path):
    skipped = Skipped(of=30)
    (tmp_path / "far").mkdir()
    (tmp_path / "root").mkdir()
    for number in range(3):
        (tmp_path / "far" / f"{number}.png").write_bytes(b"no photo")
        (tmp_path / "root" / f"{number}.png").symlink_to(tmp_path / "far" / f"{number}.png")
    names = pa.array([f"{number}.png" for number in range(3)])
    for name, error in zip(names, inspect(names, tmp_path / "root")["error"].to_pylist(), strict=True):
        skipped.add_photo(f"{tmp_path}/root/{name}", error)
    for number in range(3):
        skipped.add_photo(f"{number}.jpg", f"{number}.jpg: 9{number},000 pixels, more than max_pixels=80,000")
    linked, large, warning = skipped.lines()
    assert linked.startswith(f"3 of 30 photos left out: leaves the folder {tmp_path}/root by a link; if that is yours")
    assert large == "3 of 30 photos left out: more pixels than max_pixels=80,000, for instance 0.jpg (90,000 pixels)"
    assert warning == "warning: more than a tenth of the photos is left out"
