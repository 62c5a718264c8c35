"""What a stranger sends as text is a photo's bytes, or a path below the one folder that was named, and nothing else."""

import base64
import io
import os
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.photo import BadPhoto, open_photo
from tagger.data.sent import ROOT, below_folder, below_url, decoded, sent_photo


@given(data=st.binary(min_size=1), width=st.integers(1, 80))
def test_base64_is_the_bytes_it_was_made_of_however_its_lines_are_broken(data: bytes, width: int):
    text = base64.b64encode(data).decode()
    broken = "\r\n".join(text[at : at + width] for at in range(0, len(text), width))
    assert decoded(text).read() == decoded(broken).read() == data


@pytest.mark.parametrize(
    "text", ["no base64", "YQ=", "YQ==YQ==", "Ä", "data:image/jpeg;base64,YQ==", "a_-b", "a\x00bc"]
)
def test_what_is_no_base64_is_refused(text: str):
    with pytest.raises(BadPhoto, match="photo: not the base64 text of a photo's bytes"):
        sent_photo(text)


@pytest.mark.parametrize("text", [None, float("nan"), 3, b"YQ==", ["YQ=="]])
def test_what_is_no_text_is_refused(text: object):
    for root in (None, "/album", "memory://album"):
        with pytest.raises(BadPhoto, match="a text is expected"):
            sent_photo(text, root)


def test_more_bytes_than_a_photo_has_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch):
    large = "A" * 89_478_492
    with pytest.raises(BadPhoto, match=r"67,108,869 bytes, more than 67,108,864"):
        decoded(large)
    monkeypatch.setattr(base64, "b64decode", None)
    with pytest.raises(BadPhoto, match=r"more than 67,108,864 bytes"):
        decoded(large * 2)


def test_no_bytes_are_no_photo():
    for text in ("", "\n"):
        with pytest.raises(BadPhoto, match="photo: empty file"):
            sent_photo(text)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Make an album with a photo, beside a secret."""
    (tmp_path / "album" / "2019").mkdir(parents=True)
    (tmp_path / "album" / "2019" / "a%20ü b.jpg").write_bytes(b"photo")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "album-2").mkdir()
    (tmp_path / "album-2" / "b.jpg").write_bytes(b"secret")
    return tmp_path / "album"


def test_a_path_is_never_read_unless_a_root_is_named(album: Path):
    path = str(next(album.rglob("*.jpg")))
    for root in (None, ""):
        for text in (path, f"file://{path}", "/etc/passwd", "http://127.0.0.1/a.jpg", "memory://a.jpg"):
            with pytest.raises(BadPhoto, match="not the base64 text"):
                sent_photo(text, root)


def test_with_a_root_a_text_is_a_path_and_never_base64(album: Path):
    (album / "YQ==").write_bytes(b"photo")
    assert sent_photo("YQ==", str(album)) == str(album / "YQ==")


def test_a_path_may_be_relative_absolute_or_as_spark_writes_it(album: Path):
    photo = next(album.rglob("*.jpg"))
    for text in ("2019/a%20ü b.jpg", "./2019/../2019/a%20ü b.jpg", str(photo), f"file:{photo}", f"file://{photo}"):
        assert sent_photo(text, str(album)) == str(photo)


@pytest.mark.parametrize(
    "text",
    [
        *("../secret.jpg", "2019/../../secret.jpg", "/etc/passwd", "file:///etc/passwd", "file:/etc/passwd"),
        *("../album-2/b.jpg", "s3://bucket/a.jpg", "http://127.0.0.1/a.jpg", "file://host/a.jpg", "", ".", "/"),
    ],
)
def test_a_path_that_leaves_the_root_is_refused(album: Path, text: str):
    with pytest.raises(BadPhoto, match=f"photo: outside of {ROOT}"):
        below_folder(text, str(album))


def test_a_link_that_leaves_the_root_is_refused_and_one_inside_is_followed(album: Path):
    (album / "out.jpg").symlink_to(album.parent / "secret.jpg")
    (album / "up").symlink_to(album.parent)
    (album / "in.jpg").symlink_to(next(album.rglob("a*.jpg")))
    for text in ("out.jpg", "up/secret.jpg", "up/album-2/b.jpg"):
        with pytest.raises(BadPhoto, match="outside of"):
            below_folder(text, str(album))
    assert below_folder("in.jpg", str(album)) == str(next(album.rglob("a*.jpg")))
    (album.parent / "way").symlink_to(album)
    assert below_folder("in.jpg", str(album.parent / "way")).startswith(str(album)), "the root itself may be a link"


@pytest.mark.parametrize("text", ["a\x00.jpg", "a" * 5000, "circle/a.jpg"])
def test_a_path_that_no_system_opens_is_a_bad_photo(album: Path, text: str):
    (album / "circle").symlink_to(album / "circle")
    with pytest.raises(BadPhoto):
        open_photo(below_folder(text, str(album)))


def test_a_root_that_is_not_there_opens_nothing(album: Path):
    with pytest.raises(BadPhoto, match="cannot be opened"):
        below_folder("a.jpg", str(album / "nowhere"))


def test_the_whole_machine_can_be_named(album: Path):
    photo = str(next(album.rglob("*.jpg")))
    assert below_folder(photo, os.sep) == photo


@pytest.mark.parametrize("root", ["memory://album", "memory://album/"])
def test_a_url_may_be_relative_or_begin_with_the_root(root: str):
    for text in ("2019/a b.jpg", "memory://album/2019/a b.jpg"):
        assert sent_photo(text, root) == "memory://album/2019/a b.jpg"
    with fsspec.open("memory://album/2019/a b.jpg", "wb") as file:
        file.write(b"bytes")
    with pytest.raises(BadPhoto, match="not an image"):
        open_photo(sent_photo("2019/a b.jpg", root))


@pytest.mark.parametrize(
    "text",
    [
        *("memory://album-2/a.jpg", "memory://album", "memory://album/", "", "/a.jpg", "memory://album//a.jpg"),
        *("../a.jpg", "memory://album/../a.jpg", "b/../../a.jpg", "%2e%2e/a.jpg", "..%2fa.jpg", "..\\a.jpg", "a\n.jpg"),
        *("http://127.0.0.1/a.jpg", "file:///etc/passwd", "a.jpg::file:///etc/passwd", "zip://a::memory://album/a.zip"),
    ],
)
def test_a_url_that_leaves_the_root_is_refused(text: str):
    with pytest.raises(BadPhoto, match=f"photo: outside of {ROOT}"):
        below_url(text, "memory://album")


def test_a_photo_that_was_sent_opens():
    assert isinstance(sent_photo("YQ=="), io.BytesIO)
