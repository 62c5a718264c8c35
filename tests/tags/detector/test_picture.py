"""What a detector sees is the photo in its own shape, upright, and never larger than the limit."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from tagger.tags.detector.picture import Undistorted, as_input, fitted

sides = st.integers(1, 20_000)


@given(sides, sides, st.integers(32, 8192))
def test_a_picture_keeps_its_shape_and_fits_the_limit(width: int, height: int, long_side: int):
    found = fitted(width, height, long_side=long_side)
    assert 1 <= min(found) <= max(found) <= long_side or found == (width, height)
    scale = min(1, long_side / max(width, height))
    assert abs(found[0] - width * scale) <= 1 and abs(found[1] - height * scale) <= 1
    if max(width, height) <= long_side:
        assert found == (width, height)


def test_a_photo_on_its_side_is_seen_upright():
    file, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = Image.new("RGB", (640, 320), "white")
    photo.paste((200, 0, 0), (0, 0, 320, 320))
    photo.save(file, "JPEG", exif=exif)
    picture = Undistorted(long_side=64).framed(file)
    assert picture.size == (32, 64)
    top, bottom = picture.getpixel((16, 8)), picture.getpixel((16, 56))
    assert isinstance(top, tuple) and isinstance(bottom, tuple)
    assert top[0] > 180 and top[1] < 40
    assert min(bottom) > 230


def test_the_input_is_what_torchvision_would_make_of_it():
    from torchvision.transforms.functional import to_tensor

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (as_input(pixels) == to_tensor(pixels).numpy()).all()


def test_a_limit_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"long_side must be in 32\.\.8192, got 9000"):
        Undistorted(long_side=9000)
