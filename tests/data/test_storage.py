"""Photos behind URLs are read by the same code as photos in a folder."""

import io
from collections.abc import Iterator

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tagger.data.inspection import inspect
from tagger.data.photo import BadPhoto, decode, open_photo
from tagger.data.storage import listed
from tagger.data.transforms import EvalTransform

ROOT = "memory://album"


@pytest.fixture
def album() -> Iterator[bytes]:
    """Put a photo, a text and a second photo into a store in memory; returns the bytes of the photo."""
    store = fsspec.filesystem("memory")
    file = io.BytesIO()
    Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)).save(file, "PNG")
    store.pipe({"/album/a/1.png": file.getvalue(), "/album/2.png": file.getvalue(), "/album/3.png": b"no photo"})
    yield file.getvalue()
    store.rm("/album", recursive=True)


def test_a_photo_behind_a_url_is_opened_and_named_by_it(album: bytes) -> None:
    assert decode(open_photo(f"{ROOT}/a/1.png")).size == (64, 48)
    with pytest.raises(BadPhoto, match=r"^memory://album/3\.png: not an image$"):
        open_photo(f"{ROOT}/3.png")
    with pytest.raises(BadPhoto, match=r"^memory://album/4\.png: missing$"):
        open_photo(f"{ROOT}/4.png")


def test_a_transform_takes_a_url_for_a_photo(album: bytes) -> None:
    transform = EvalTransform(size=16, fit="squash")
    assert transform(f"{ROOT}/2.png").equal(transform(io.BytesIO(album)))


def test_inspection_finds_behind_a_url_what_it_finds_in_a_folder(album: bytes) -> None:
    found = inspect(pa.array(["a/1.png", "3.png", "4.png", "../a/1.png"]), ROOT, workers=0)
    assert found["width"].to_pylist() == [64, None, None, None]
    assert found["bytes"].to_pylist() == [len(album), 8, None, None]
    assert found["error"].to_pylist() == [
        None,
        r"memory://album/3.png: not an image",
        r"memory://album/4.png: missing",
        "memory://album/../a/1.png: leaves the folder memory://album",
    ]


def test_a_file_that_changes_behind_its_url_is_noticed(album: bytes) -> None:
    before = listed(ROOT)
    fsspec.filesystem("memory").pipe("/album/2.png", album)
    after = listed(ROOT)
    assert before["a/1.png"] == after["a/1.png"]
    assert before["2.png"] != after["2.png"]
