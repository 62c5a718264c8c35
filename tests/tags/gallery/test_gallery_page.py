"""The gallery as a file: what is on it, what is only named, and what it never overwrites."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagger.errors import UserError
from tagger.tags.gallery.page import Contents, Gallery, _blocks
from tagger.tags.gallery.shown import KnownLabels

Lines = list[dict[str, Any]]
Write = Callable[..., Contents]


def blocks(page: Path, kind: str) -> list[Any]:
    found = re.findall(rf'class="{kind}">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return [json.loads(text) for text in found]


def test_every_photo_is_on_the_page_once_with_its_picture(tmp_path: Path, lines: Lines, write: Write):
    contents = write(lines)
    assert (contents.photos, contents.bad, contents.beyond, contents.without_picture) == (7, 1, 0, 0)
    page = tmp_path / "album.html"
    assert [photo["name"] for photo in blocks(page, "photo")][:6] == [
        *(f"{number}.jpg" for number in range(4)),
        "<script>alert(1)<.jpg",
        "two\\nlines.jpg",
    ]
    assert page.read_text(encoding="utf-8").count('class="picture">UklGR') == 7
    (rest,) = blocks(page, "rest")
    assert rest["bad"] == [[str(tmp_path / "album" / "<b>bad.jpg"), "truncated <i>"]]
    assert rest["groups"] == {"animal": "animal", "nature": "nature"}


def test_photos_beyond_the_limit_are_named_and_counted(tmp_path: Path, lines: Lines, write: Write):
    contents = write(lines, limit=5)
    assert (contents.photos, contents.beyond, contents.bad) == (5, 2, 1)
    (rest,) = blocks(tmp_path / "album.html", "rest")
    names = [name.rpartition("/")[2] for name in rest["beyond"]]
    assert names == ["two\\nlines.jpg", f"\\udcff{250 * 'a'}.jpg"]
    told = list(contents.lines(Gallery(tmp_path / "album.html", limit=5, side=64)))
    assert "2 more photos are only named in it: gallery_limit=5" in told


def test_a_photo_that_is_gone_has_its_tags_but_no_picture(tmp_path: Path, lines: Lines, write: Write):
    Path(lines[0]["photo"]).unlink()
    assert write(lines).without_picture == 1
    assert len(blocks(tmp_path / "album.html", "photo")) == 7


def test_the_same_album_gives_the_same_bytes_and_a_page_of_ours_is_written_anew(
    tmp_path: Path, lines: Lines, write: Write
):
    write(lines)
    first = (tmp_path / "album.html").read_bytes()
    write(lines)
    assert (tmp_path / "album.html").read_bytes() == first


def test_another_page_is_never_overwritten(tmp_path: Path, lines: Lines, write: Write):
    (tmp_path / "album.html").write_text("<html>my own page")
    with pytest.raises(UserError, match="is there and is no gallery"):
        write(lines)
    assert (tmp_path / "album.html").read_text() == "<html>my own page"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limit": 0}, r"gallery_limit must lie in \[1, 20,000\], got 0"),
        ({"side": 31}, r"gallery_side must lie in \[32, 2,048\], got 31"),
        ({"path": Path("album.jpg")}, "must end in .html"),
    ],
)
def test_settings_out_of_range_are_errors(tmp_path: Path, settings: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        Gallery(**{"path": tmp_path / "a.html", "limit": 10, "side": 100} | settings)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        Gallery(tmp_path / "file" / "a.html", limit=1, side=64)


def test_names_stay_in_their_blocks_and_the_policy_allows_one_script(tmp_path: Path, lines: Lines, write: Write):
    write(lines)
    page = (tmp_path / "album.html").read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == 7 * 2 + 1 + 1
    assert "onerror" in page
    assert "<img src=x" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; img-src data:; ")
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", policy[1])
    # Nothing that a page could fetch, and no address at all.
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert not re.findall(r"https?://", page)


def test_lines_are_read_as_the_page_is_written_not_before(tmp_path: Path, lines: Lines):
    taken = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield lines[number % 3]

    known = KnownLabels({}, {}, "en")
    gallery = Gallery(tmp_path / "a.html", limit=500, side=64)
    made = _blocks(gallery, counted, known, Contents(), workers=0, watched=iter)
    for _ in range(20):
        next(made)
    assert taken == 10
