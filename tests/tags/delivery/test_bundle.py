"""A bundle comes from anywhere: damage, hostility and the future are refused with a message that names them."""

import json
import os
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from tagger.errors import UserError
from tagger.tags.delivery.bundle import BundleError, read_bundle, write_bundle


@pytest.fixture
def bundle(delivered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(delivered / "album.tagger", tmp_path / "album.tagger"))


def repacked(path: Path, compression: int = zipfile.ZIP_STORED, **changed: bytes | None) -> Path:
    """Write the bundle again with some files changed, added or, for None, left out."""
    with zipfile.ZipFile(path) as archive:
        files: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    files |= {name.replace("__", "."): data for name, data in changed.items()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def manifest_with(path: Path, **changed: object) -> Path:
    with zipfile.ZipFile(path) as archive:
        tree = json.loads(archive.read("manifest.json"))
    return repacked(path, manifest__json=json.dumps(tree | changed).encode())


def refused(path: Path, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        read_bundle(path)


def test_a_folder_holds_what_the_file_holds(bundle: Path, tmp_path: Path):
    read = read_bundle(bundle)
    write_bundle(tmp_path / "folder", read.manifest, model=read.model, card=read.card)
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["card.md", "manifest.json", "model.onnx"]
    assert read_bundle(tmp_path / "folder") == read
    write_bundle(tmp_path / "folder", read.manifest, model=read.model, card="newer")
    assert read_bundle(tmp_path / "folder").card == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["album.tagger", "folder"], "nothing is left beside it"


def test_the_file_is_a_zip_archive_without_compression_and_without_pickles(bundle: Path):
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == ["manifest.json", "model.onnx", "card.md"]
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert not any(archive.read(name).startswith(b"\x80") for name in archive.namelist())


def test_the_same_model_gives_the_same_bytes(bundle: Path, tmp_path: Path):
    read = read_bundle(bundle)
    write_bundle(tmp_path / "again.tagger", read.manifest, model=read.model, card=read.card)
    assert (tmp_path / "again.tagger").read_bytes() == bundle.read_bytes()


def test_a_folder_that_is_no_bundle_is_left_alone(bundle: Path, tmp_path: Path):
    read = read_bundle(bundle)
    (tmp_path / "Pictures").mkdir()
    (tmp_path / "Pictures" / "a.jpg").touch()
    with pytest.raises(UserError, match="is no bundle: it is left alone"):
        write_bundle(tmp_path / "Pictures", read.manifest, model=read.model, card=read.card)
    assert (tmp_path / "Pictures" / "a.jpg").exists()


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.999])
def test_a_changed_byte_anywhere_is_damage(bundle: Path, at: float):
    data = bytearray(bundle.read_bytes())
    data[int(at * len(data))] ^= 0xFF
    bundle.write_bytes(data)
    with pytest.raises(BundleError):
        read_bundle(bundle)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_half_a_bundle_is_refused(bundle: Path, share: float):
    bundle.write_bytes(bundle.read_bytes()[: int(share * bundle.stat().st_size)])
    refused(bundle, "is no bundle or is damaged")


def test_a_file_with_another_hash_is_named(bundle: Path):
    with zipfile.ZipFile(bundle) as archive:
        model = archive.read("model.onnx")
    refused(repacked(bundle, model__onnx=model[:-1] + bytes([model[-1] ^ 1])), "model.onnx has another SHA-256")
    refused(repacked(bundle, model__onnx=model + b"x"), r"model.onnx has [\d,]+ bytes instead of [\d,]+")


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "..\\evil", "model.onnx/../../evil", "<script>", "a\nb"])
def test_a_name_that_is_no_bundles_is_refused_and_nothing_is_written(bundle: Path, tmp_path: Path, name: str):
    before = sorted(tmp_path.rglob("*"))
    refused(repacked(bundle, **{name: b"evil"}), "is no bundle: it holds")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_there_twice_or_not_at_all_is_refused(bundle: Path):
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("card.md", "another")
    refused(bundle, "in it twice")
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("manifest.json", "{}")
    refused(bundle, "card.md is missing")


def test_a_bomb_is_refused_before_it_is_unpacked(bundle: Path):
    refused(repacked(bundle, zipfile.ZIP_DEFLATED, model__onnx=bytes(10**8)), "is compressed")


def test_a_declared_size_beyond_the_limit_or_the_file_is_refused(bundle: Path):
    data = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        size = archive.getinfo("model.onnx").file_size
    for declared, message in ((2**32 - 2, "declares 4,294,967,294 bytes, more than"), (2**31 - 1, "declares 2,14")):
        # In the archive's directory, at its end, where sizes are believed: compressed and not.
        bundle.write_bytes(data.replace(struct.pack("<II", size, size), struct.pack("<II", declared, declared)))
        refused(bundle, message)


def test_what_is_newer_than_understood_is_refused_with_the_way_out(bundle: Path):
    refused(manifest_with(bundle, version=3), "version 3 is newer than the 2 that this tagger reads: upgrade tagger")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "else"}, "format must be 'tagger bundle'"),
        ({"version": True}, "version must be a int, got True"),
        ({"labels": []}, "labels must be 1 to 100,000, got 0"),
        ({"labels": [1]}, r"labels\[0\] must be a mapping, got 1"),
        ({"labels": [{"id": 3, "threshold": 0.5, "figures": {}}]}, r"labels\[0\].id must be a str, got 3"),
        ({"labels": [{"id": "a", "threshold": float("nan")}]}, r"labels\[0\].threshold must be a float, got nan"),
        ({"labels": [{"id": "a", "threshold": -1}]}, r"labels\[0\].threshold must lie in \[0, 2\], got -1"),
        ({"labels": [{"id": "a", "names": {}, "threshold": 1, "figures": {}}] * 2}, "label 'a' is there twice"),
        ({"files": {"../../x": {"bytes": 1, "sha256": ""}}}, r"files must be model.onnx, card.md, got \['../../x'\]"),
        ({"preprocessing": []}, r"preprocessing must be a dict, got \[\]"),
    ],
)
def test_a_manifest_is_checked_value_by_value(bundle: Path, changed: dict[str, object], message: str):
    refused(manifest_with(bundle, **changed), message)


def test_a_manifest_that_is_no_json_is_refused(bundle: Path):
    refused(repacked(bundle, manifest__json=b"[" * 100_000), "not JSON")
    refused(repacked(bundle, manifest__json=b"\x80\x04."), "not JSON")


def test_weights_in_other_files_are_refused(bundle: Path, tmp_path: Path):
    onnx = pytest.importorskip("onnx")
    read = read_bundle(bundle)
    model = onnx.load_from_string(read.model)
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../etc/passwd")
    write_bundle(tmp_path / "evil.tagger", read.manifest, model=model.SerializeToString(), card="")
    refused(tmp_path / "evil.tagger", "lie in other files")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_a_folder_of_links_and_pipes_is_refused(bundle: Path, tmp_path: Path):
    read = read_bundle(bundle)
    folder = tmp_path / "folder"
    write_bundle(folder, read.manifest, model=read.model, card=read.card)
    (folder / "card.md").unlink()
    refused(folder, "card.md is missing")
    (folder / "card.md").symlink_to("/etc/passwd")
    refused(folder, "cannot be read")
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")
    refused(folder, "is no file")


def test_a_place_without_a_bundle_says_how_to_make_one(tmp_path: Path):
    refused(tmp_path / "none.tagger", "make one with python -m tagger.export")
    refused(tmp_path, "manifest.json is missing")
