"""Thumbnails: small, upright, of every kind of photo, and none of what is no photo."""

from pathlib import Path

import pytest
from PIL import Image

from tagger.pages.thumbnails import load_thumbnails, thumbnail


def test_a_thumbnail_is_small_upright_and_of_the_photos_shape(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: width and height change places.
    Image.new("RGB", (4000, 3000), "teal").save(tmp_path / "photo.jpg", exif=exif)
    jpeg = thumbnail(tmp_path / "photo.jpg")
    assert jpeg is not None
    (tmp_path / "small.jpg").write_bytes(jpeg)
    with Image.open(tmp_path / "small.jpg") as small:
        assert small.size == (84, 112)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_becomes_a_thumbnail(tmp_path: Path, mode: str):
    suffix = {"CMYK": "jpg", "F": "tiff"}.get(mode, "png")
    Image.new(mode, (300, 200)).save(tmp_path / f"photo.{suffix}")
    assert thumbnail(tmp_path / f"photo.{suffix}")


def test_a_photo_that_cannot_be_read_has_no_thumbnail(tmp_path: Path):
    Image.effect_noise((640, 480), 100).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    contents = {"empty": b"", "text": b"no photo", "cut": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    photos = dict(
        enumerate(
            [
                tmp_path / "empty",
                tmp_path / "text",
                tmp_path / "cut",
                tmp_path / "missing",
                tmp_path,
                tmp_path / "whole.jpg",
            ]
        )
    )
    assert list(load_thumbnails(photos)) == [5]
