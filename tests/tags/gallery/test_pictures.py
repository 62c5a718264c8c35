"""Photos made small for a page."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from tagger.tags.gallery.pictures import pictures


def opened(picture: bytes | None) -> Image.Image:
    assert picture
    return Image.open(io.BytesIO(picture))


def test_a_picture_is_upright_small_and_tells_nothing_of_the_camera(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    exif.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (1200, 900), "teal").save(tmp_path / "a.jpg", exif=exif)
    (picture,) = pictures([str(tmp_path / "a.jpg")], side=320, workers=0)
    assert opened(picture).size == (240, 320)
    assert opened(picture).format == "WEBP"
    assert not opened(picture).getexif()
    assert b"maker" not in (picture or b"")


def test_a_small_photo_stays_as_small_as_it_is(tmp_path: Path):
    Image.new("RGBA", (40, 30)).save(tmp_path / "a.png")
    (picture,) = pictures([str(tmp_path / "a.png")], side=320, workers=0)
    assert opened(picture).size == (40, 30)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_pictures_come_in_order_and_none_for_what_cannot_be_read(tmp_path: Path, workers: int):
    names = [*(f"{number}.jpg" for number in range(9)), os.fsdecode(b"\xff.jpg")]
    for number, name in enumerate(names):
        Image.new("RGB", (20 + number, 10)).save(tmp_path / name)
    (tmp_path / "3.jpg").write_bytes(b"no photo")
    made = list(pictures([str(tmp_path / name) for name in names], side=64, workers=workers))
    assert [picture and opened(picture).width for picture in made] == [20, 21, 22, None, 24, 25, 26, 27, 28, 29]
