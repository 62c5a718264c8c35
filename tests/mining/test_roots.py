"""Roots: the folder or URL below which the photos of a pool have paths of their own."""

import os
from pathlib import Path

import pytest

from tagger.errors import UserError
from tagger.mining.roots import below


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("2019/may/1.jpg", "2020/may/2.jpg", "2020/may/[3].jpg", "2020/may/..4.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


@pytest.mark.parametrize(
    ("photo", "places", "root", "path"),
    [
        ("2020/may/2.jpg", ["2020"], "2020", "may/2.jpg"),
        ("2020/may/2.jpg", ["2020/may/*.jpg"], "2020/may", "2.jpg"),
        ("2020/may/2.jpg", ["20*/**/*.jpg"], "", "2020/may/2.jpg"),
        # What follows the first sign is no folder, even if it has none itself.
        ("2020/may/2.jpg", ["*/may/*.jpg"], "", "2020/may/2.jpg"),
        ("2020/may/[3].jpg", ["2020/may/[3].jpg"], "2020/may", "[3].jpg"),
        # Two dots may begin a name.
        ("2020/may/..4.jpg", ["2020/may"], "2020/may", "..4.jpg"),
        ("..4.jpg/5.jpg", ["."], "", "..4.jpg/5.jpg"),
    ],
)
def test_a_local_root_is_the_deepest_folder_before_any_pattern(photo: str, places: list[str], root: str, path: str):
    assert below([photo], places) == (str(Path(root).absolute()), (path,))


@pytest.mark.parametrize(
    ("place", "root"),
    [
        ("s3://bucket/album/", "s3://bucket/album"),
        ("s3://bucket/album/2020/*.jpg", "s3://bucket/album/2020"),
        ("s3://bucket/album/20*/*.jpg", "s3://bucket/album"),
        ("s3://bucket/album/202?/1.jpg", "s3://bucket/album"),
    ],
)
def test_a_url_ends_at_the_last_whole_folder_before_its_pattern(place: str, root: str):
    found, (path,) = below(["s3://bucket/album/2020/1.jpg"], [place])
    assert found == root and f"{found}/{path}" == "s3://bucket/album/2020/1.jpg"


def test_a_list_without_a_photo_has_no_say():
    Path("none.txt").write_text("")
    assert below(["2020/may/2.jpg"], ["none.txt", "2020"]) == (str(Path("2020").absolute()), ("may/2.jpg",))


def test_photos_of_a_list_lie_where_it_says():
    Path("2019/some.txt").write_text("2019/may/1.jpg\n2020/may/2.jpg\n")
    assert below(["2020/may/2.jpg"], ["2019/some.txt"]) == (os.getcwd(), ("2020/may/2.jpg",))  # noqa: PTH109


def test_a_photo_elsewhere_is_refused():
    with pytest.raises(UserError, match=r"2019/may/1\.jpg does not lie below .*2020, where the pool is"):
        below(["2019/may/1.jpg"], ["2020"])
