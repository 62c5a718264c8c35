"""Of a photo the page gets id, picture and pixels, or a reason; what a photo does to its decoder costs that photo."""

import hashlib
import io
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tagger.data.framing import StillFraming
from tagger.data.inspection import inspect
from tagger.tags.serving.reading import SIDE, PhotoReader, read_photo

FRAMING = StillFraming(size=16, fit="pad", max_pixels=1_000_000)


@dataclass(frozen=True, kw_only=True)
class Deadly(StillFraming):
    """A decoder that dies of one photo, as a bug in a library would have it."""

    def picture(self, photo):
        if photo.size == (7, 7):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().picture(photo)


def photo(folder: Path, name: str, size: tuple[int, int] = (900, 600)) -> str:
    Image.new("RGB", size, (200, 30, 30)).save(folder / name)
    return str(folder / name)


def test_a_photo_has_the_id_that_the_catalog_gives_it(tmp_path: Path):
    path = photo(tmp_path, "a.jpg")
    sha256 = inspect(pa.array(["a.jpg"]), tmp_path, workers=0)["sha256"][0].as_py()
    assert read_photo(path, (FRAMING, None), max_bytes=10**6).photo_id == sha256[:32]
    assert sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_picture_is_small_and_the_pixels_are_what_the_network_sees(tmp_path: Path):
    read = read_photo(photo(tmp_path, "a.png"), (FRAMING, None), max_bytes=10**6)
    assert Image.open(io.BytesIO(read.picture)).size == (SIDE, round(SIDE * 2 / 3))
    assert read.pixels is not None
    assert np.array_equal(read.pixels, np.asarray(FRAMING.framed(tmp_path / "a.png")))


def test_what_cannot_be_shown_has_its_reason(tmp_path: Path):
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for path, error in {
        str(tmp_path / "text.jpg"): "not an image",
        str(tmp_path / "empty.jpg"): "empty file",
        str(tmp_path / "nowhere.jpg"): "missing",
        photo(tmp_path, "bomb.png", (1500, 1000)): "1,500,000 pixels, more than max_pixels=1,000,000",
        str(tmp_path): "a folder",
        "a\0b": "cannot be read (embedded null byte)",
    }.items():
        read = read_photo(path, (FRAMING, None), max_bytes=10**6)
        assert read.error.endswith(error)
        assert read.pixels is None
    assert read_photo(photo(tmp_path, "large.bmp"), (FRAMING, None), max_bytes=10**6).error == (
        "1.6 MB, more than the 1 MB allowed here"
    )


@pytest.mark.slow
def test_a_photo_that_kills_its_decoder_costs_only_itself(tmp_path: Path):
    photos = [photo(tmp_path, f"{number}.png", (7, 7) if number == 2 else (20, 10)) for number in range(5)]
    with PhotoReader(Deadly(size=4), max_bytes=10**6) as reader:
        errors = [read.error for read in reader.read(photos)]
        assert errors == ["", "", "the process that decoded it died: a crash, or no memory", "", ""]
        assert [read.error for read in reader.read(photos[:2])] == ["", ""], "the next ones are read as before"
