import hashlib
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tagger.data import inspection
from tagger.data.duplicates import fingerprint
from tagger.data.inspection import SCHEMA, inspect
from tagger.data.photo import decode, open_photo


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "album"
    (folder / "images").mkdir(parents=True)
    return folder


def make_photos(root: Path, count: int) -> pa.Array:
    rng = np.random.default_rng(0)
    names = [f"images/{number:03}.jpg" for number in range(count)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(root / name)
    return pa.array(names)


def only_good(table: pa.Table) -> bool:
    return table["error"].null_count == len(table)


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """The names of the photos that were opened, in this process."""
    names: list[str] = []
    real = inspection.open_photo

    def counted(path, **settings):
        names.append(Path(path).name)
        return real(path, **settings)

    monkeypatch.setattr(inspection, "open_photo", counted)
    return names


def test_a_good_photo_has_its_facts(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = root / "images" / "upright.jpg"
    Image.new("RGB", (64, 48), "red").save(path, exif=exif)
    table = inspect(pa.array(["images/upright.jpg"]), root)
    assert table.schema == SCHEMA
    assert table.to_pylist() == [
        {
            "path": "images/upright.jpg",
            "bytes": path.stat().st_size,
            "mtime_ns": path.stat().st_mtime_ns,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "width": 48,
            "height": 64,
            "look": fingerprint(decode(open_photo(path))),
            "error": None,
        }
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_exactly_the_bad_photos_are_found(root, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(inspection, "CHUNK", 8)
    good = make_photos(root, 30).to_pylist()
    whole = (root / good[0]).read_bytes()
    (root / "images/cut.jpg").write_bytes(whole[:-3])
    (root / "images/empty.jpg").write_bytes(b"")
    (root / "images/text.jpg").write_text("not a photo")
    (root / "images/folder.jpg").mkdir()
    (root / "images/broken.jpg").symlink_to(root / "images/nowhere.jpg")
    (root / "images/inside.jpg").symlink_to(root / good[0])
    (tmp_path / "secret.jpg").write_bytes(whole)
    (root / "images/outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "linked").symlink_to(tmp_path)
    bad = {
        "images/cut.jpg": "truncated",
        "images/empty.jpg": "empty file",
        "images/text.jpg": "not an image",
        "images/folder.jpg": "a folder",
        "images/broken.jpg": "missing",
        "images/missing.jpg": "missing",
        "images/a\0b.jpg": "leaves the folder|cannot be opened",
        "images/outside.jpg": "leaves the folder",
        "linked/secret.jpg": "leaves the folder",
        "../secret.jpg": "leaves the folder",
        "images/../../secret.jpg": "leaves the folder",
        str(root / good[0]): "leaves the folder",
        "": "a folder",
        "..": "leaves the folder",
    }
    paths = [*good, *bad, "images/inside.jpg", "images/../" + good[1]]
    np.random.default_rng(0).shuffle(paths)
    table = inspect(pa.array(paths), root, workers=workers)
    assert table["path"].to_pylist() == paths
    errors = {row["path"]: row["error"] for row in table.to_pylist() if row["error"]}
    assert errors.keys() == bad.keys()
    for path, reason in bad.items():
        assert any(part in errors[path] for part in reason.split("|")), errors[path]
        assert Path(path).name in errors[path]
    assert all((row["sha256"] is None) == (row["path"] in bad) for row in table.to_pylist())


def test_followed_links_lead_out_of_the_folder_and_paths_still_do_not(root, tmp_path):
    (tmp_path / "images").mkdir()
    make_photos(tmp_path, 2)
    (root / "disk").symlink_to(tmp_path / "images")
    linked = [f"disk/{photo.name}" for photo in (tmp_path / "images").iterdir()]
    leaving = ["../images/a.jpg", "disk/../../a.jpg", str(tmp_path / linked[0])]
    errors = inspect(pa.array([*linked, *leaving]), root, follow_links=True)["error"].to_pylist()
    assert errors == [None, None, *(f"{root / path}: leaves the folder {root}" for path in leaving)]


def test_a_photo_above_the_limit_is_bad_and_good_again_under_a_higher_one(root, tmp_path):
    paths = make_photos(root, 1)
    for limit, good in [(768, True), (767, False), (768, True)]:
        assert only_good(inspect(paths, root, max_pixels=limit, cache=tmp_path / "cache")) == good


def test_the_processes_find_what_one_process_finds(root, monkeypatch):
    monkeypatch.setattr(inspection, "CHUNK", 8)
    paths = make_photos(root, 40)
    assert inspect(paths, root, workers=3).equals(inspect(paths, root, workers=0))


def test_a_repeated_path_has_a_row_each_time_and_is_looked_at_once(root, looked_at):
    path = make_photos(root, 2)[1].as_py()
    table = inspect(pa.array([path, path]), root)
    assert table.to_pylist()[0] == table.to_pylist()[1]
    assert looked_at == ["001.jpg"]


def test_paths_may_be_a_slice_of_a_chunked_column_and_none(root):
    paths = pa.chunked_array([make_photos(root, 3), pa.array([], pa.string())])
    assert inspect(paths.slice(1), root)["path"].to_pylist() == ["images/001.jpg", "images/002.jpg"]
    assert inspect(pa.array([], pa.string()), root).equals(SCHEMA.empty_table())


# The cache


def test_the_second_time_nothing_is_decoded(root, tmp_path, looked_at):
    paths = make_photos(root, 5)
    first = inspect(paths, root, cache=tmp_path / "cache")
    assert len(looked_at) == 5
    assert inspect(paths, root, cache=tmp_path / "cache").equals(first)
    assert len(looked_at) == 5


def test_a_changed_photo_is_looked_at_again_and_no_other(root, tmp_path, looked_at):
    paths = make_photos(root, 5)
    before = inspect(paths, root, cache=tmp_path / "cache")
    Image.new("RGB", (10, 20)).save(root / "images/002.jpg")
    os.utime(root / "images/004.jpg", ns=(1, 1))
    looked_at.clear()
    for _ in range(2):
        after = inspect(paths, root, cache=tmp_path / "cache").to_pylist()
    assert looked_at == ["002.jpg", "004.jpg"]
    assert (after[2]["width"], after[2]["height"]) == (10, 20)
    assert after[4]["sha256"] == before["sha256"][4].as_py()
    assert after[4]["mtime_ns"] == 1


def test_bad_photos_are_looked_at_again_and_may_have_become_good(root, tmp_path, looked_at):
    paths = make_photos(root, 3)
    (root / "images/001.jpg").rename(root / "images/away.jpg")
    assert inspect(paths, root, cache=tmp_path / "cache")["error"].null_count == 2
    (root / "images/away.jpg").rename(root / "images/001.jpg")
    looked_at.clear()
    assert only_good(inspect(paths, root, cache=tmp_path / "cache"))
    assert looked_at == ["001.jpg"]


def test_a_photo_that_became_bad_is_found_and_not_kept(root, tmp_path, looked_at):
    paths = make_photos(root, 2)
    inspect(paths, root, cache=tmp_path / "cache")
    (root / "images/000.jpg").write_bytes(b"")
    for _ in range(2):
        looked_at.clear()
        errors = inspect(paths, root, cache=tmp_path / "cache")["error"].to_pylist()
        assert errors[1] is None
        assert "empty file" in errors[0]
        assert looked_at == ["000.jpg"]


def test_part_of_an_album_does_not_make_the_rest_forgotten(root, tmp_path, looked_at):
    paths = make_photos(root, 4)
    inspect(paths, root, cache=tmp_path / "cache")
    os.utime(root / "images/003.jpg", ns=(1, 1))
    inspect(paths.slice(3), root, cache=tmp_path / "cache")
    looked_at.clear()
    inspect(paths, root, cache=tmp_path / "cache")
    assert looked_at == []


def test_albums_with_the_same_names_share_a_folder_without_mixing(tmp_path):
    sizes = {}
    for name, width in [("one", 10), ("other", 20)]:
        (tmp_path / name).mkdir()
        Image.new("RGB", (width, 10)).save(tmp_path / name / "a.png")
        os.utime(tmp_path / name / "a.png", ns=(1, 1))
        table = inspect(pa.array(["a.png"]), tmp_path / name, cache=tmp_path / "cache")
        sizes[name] = table["width"][0].as_py()
    assert sizes == {"one": 10, "other": 20}


@pytest.mark.parametrize("damage", [b"", b"PAR1 garbage", None])
def test_a_damaged_cache_is_named_and_made_again(root, tmp_path, looked_at, damage):
    paths = make_photos(root, 3)
    first = inspect(paths, root, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20] if damage is None else damage)
    with pytest.warns(UserWarning, match=r"inspection-.*\.parquet is damaged and is made again"):
        assert inspect(paths, root, cache=tmp_path / "cache").equals(first)
    looked_at.clear()
    assert inspect(paths, root, cache=tmp_path / "cache").equals(first)
    assert looked_at == []


def test_what_was_found_before_an_interruption_is_kept(root, tmp_path, looked_at, monkeypatch):
    monkeypatch.setattr(inspection, "CHUNK", 2)
    paths = make_photos(root, 6)
    real = inspection.decode

    def interrupted(photo, **settings):
        if photo.filename.endswith("004.jpg"):
            raise KeyboardInterrupt
        return real(photo, **settings)

    monkeypatch.setattr(inspection, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inspect(paths, root, workers=0, cache=tmp_path / "cache")
    monkeypatch.setattr(inspection, "decode", real)
    looked_at.clear()
    assert only_good(inspect(paths, root, workers=0, cache=tmp_path / "cache"))
    assert looked_at == ["004.jpg", "005.jpg"]
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} <= {".parquet", ".lock"}, "no half file is left"


def test_a_photo_that_kills_its_process_is_an_error_with_a_way_out(root, monkeypatch):
    monkeypatch.setattr(inspection, "CHUNK", 2)
    monkeypatch.setattr(inspection, "decode", lambda photo, at_least: os._exit(9))
    with pytest.raises(RuntimeError, match="lower max_pixels or workers"):
        inspect(make_photos(root, 6), root, workers=2)


# Quiet


@pytest.mark.parametrize("workers", [0, 2])
def test_damaged_exif_neither_warns_nor_makes_a_photo_bad(root, capfd, monkeypatch, workers):
    monkeypatch.setattr(inspection, "CHUNK", 2)
    for number in range(6):
        exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12"
        Image.new("RGB", (32, 24)).save(root / f"images/{number}.jpg", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        table = inspect(pa.array([f"images/{number}.jpg" for number in range(6)]), root, workers=workers)
    assert only_good(table)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_real_photos_are_good_and_the_second_look_takes_under_a_second(real_photos, tmp_path):
    album = real_photos / "corel5k"
    paths = pa.array(sorted(f"images/{photo.name}" for photo in (album / "images").iterdir()))
    assert only_good(inspect(paths, album, cache=tmp_path))
    start = time.perf_counter()
    inspect(paths, album, cache=tmp_path)
    assert time.perf_counter() - start < 1
