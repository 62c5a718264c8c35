"""A page may open what is below the root, and learns nothing of what is not."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import UserError
from tagger.tags.serving.folder import Root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root with photos, links out of it, and a secret beside it."""
    folder = tmp_path / "Pictures"
    (folder / "2019" / "summer").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in ("a.jpg", "2019/b.jpg", "2019/summer/c.png", "2019/notes.txt", "2019/.hidden.jpg"):
        (folder / name).write_bytes(b"photo")
    (tmp_path / "Pictures-secret").mkdir()
    (tmp_path / "Pictures-secret" / "s.jpg").write_bytes(b"secret")
    (folder / "out").symlink_to(tmp_path / "Pictures-secret")
    (folder / "2019" / "out.jpg").symlink_to(tmp_path / "Pictures-secret" / "s.jpg")
    (folder / "2019" / "in.jpg").symlink_to(folder / "a.jpg")
    return folder


def test_photos_below_a_folder_come_in_the_order_of_their_names(root: Path):
    below = [str(root / "2019" / name) for name in ("b.jpg", "in.jpg", "summer/c.png")]
    assert Root(root).photos("2019", limit=9) == below
    assert Root(root).photos(str(root / "2019"), limit=9) == below
    assert Root(root).photos("", limit=2) == below[:2]


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../Pictures-secret",
        "2019/../../Pictures-secret",
        "/",
        "/etc",
        "out",
        "~",
        "~root",
        "a\0b",
        "x" * 5000,
        "nowhere",
    ],
)
def test_what_is_outside_and_what_is_not_there_get_the_same_answer(root: Path, name: str):
    with pytest.raises(UserError, match="there is no folder") as error:
        Root(root).photos(name, limit=9)
    assert str(error.value) == f"there is no folder {name!r} in {root}"


@given(parts=st.lists(st.sampled_from(["..", ".", "2019", "summer", "out", "in.jpg", "/", "", "~"]), max_size=8))
def test_no_path_leads_out(parts: list[str], tmp_path_factory: pytest.TempPathFactory):
    base = tmp_path_factory.getbasetemp() / "no_path_leads_out"
    if not base.exists():
        (base / "root" / "2019" / "summer").mkdir(parents=True)
        (base / "s.jpg").write_bytes(b"secret")
        (base / "root" / "2019" / "b.jpg").write_bytes(b"photo")
        (base / "root" / "out").symlink_to(base)
        (base / "root" / "2019" / "in.jpg").symlink_to(base / "s.jpg")
    try:
        photos = Root(base / "root").photos("/".join(parts), limit=99)
    except UserError:
        return
    assert {os.path.realpath(photo) for photo in photos} == {os.path.realpath(base / "root" / "2019" / "b.jpg")}


def test_a_root_may_be_a_link_itself(root: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(root)
    assert len(Root(tmp_path / "link").photos("2019", limit=9)) == 3


def test_a_root_that_is_not_there_and_a_folder_without_photos_are_named(root: Path):
    with pytest.raises(UserError, match=r"root=.*nowhere: there is no such folder"):
        Root(root / "nowhere")
    with pytest.raises(UserError, match="no photo in empty"):
        Root(root).photos("empty", limit=9)
