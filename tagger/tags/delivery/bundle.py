"""The bundle: one file or folder that holds everything it takes to tag photos, and nothing that could run.

A bundle is ``manifest.json``, ``model.onnx``, ``card.md`` and, if labels take a detector, ``detector.onnx``, in a
folder or in a ZIP archive without compression. The manifest names every other file with its size and SHA-256. A bundle
may come from anywhere, so reading it trusts nothing: files are taken into memory under the names above and no others,
none is larger than it says, none is written to the disk, none is unpickled, and graphs are parsed
(`tagger.tags.onnx_file`). The hashes find damage, not forgery: who can change the model can change its hash.
"""

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tagger.archive import ArchiveError, opened_archive
from tagger.atomic import folder_whole, written_whole
from tagger.errors import UserError, reason
from tagger.tags.delivery.manifest import Manifest, ManifestError
from tagger.tags.onnx_file import check_onnx

MANIFEST, MODEL, CARD, DETECTOR = "manifest.json", "model.onnx", "card.md", "detector.onnx"
FILES = (MODEL, CARD)
"""What a bundle holds beside its manifest, and beside a detector if it has one."""

# An ONNX file holds its weights up to 2 GiB; beyond, they lie in other files, which a bundle has not.
LIMITS = {MANIFEST: 64 * 2**20, MODEL: 2**31, CARD: 16 * 2**20, DETECTOR: 2**31}
"""Most bytes of each file."""

MAX_DIRECTORY = 2**16
"""Most bytes of an archive's directory, which lists four files."""


class BundleError(UserError):
    """A bundle that is damaged, hostile, no bundle at all, or newer than this tagger; the message says which."""


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds; hashes and sizes have been checked."""

    manifest: Manifest
    model: bytes
    """The ONNX graph with its weights."""
    card: str
    detector: bytes | None = None
    """The ONNX graph that sees small objects."""


def is_archive(path: Path) -> bool:
    """Return whether a bundle of this name is to be one file; a folder has no suffix.

    Example:
        >>> is_archive(Path("album.tagger")), is_archive(Path("album"))
        (True, False)
    """
    return path.suffix.lower() in (".tagger", ".zip")


def write_bundle(path: Path, manifest: Manifest, *, model: bytes, card: str, detector: bytes | None = None) -> None:
    """Write a bundle, whole or not at all: a file if the name ends in .tagger or .zip, else a folder.

    Raises:
        UserError: If something that is no bundle is in the way, or the place cannot be written.
    """
    contents = {MODEL: model, CARD: card.encode("utf-8", errors="backslashreplace")}
    if detector is not None:
        contents[DETECTOR] = detector
    manifest = manifest.with_files({name: (len(data), _sha256(data)) for name, data in contents.items()})
    contents = {MANIFEST: manifest.to_json().encode()} | contents
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_archive(path):
            _write_archive(path, contents)
        else:
            _write_folder(path, contents)
    except OSError as error:
        raise UserError(f"bundle={path} cannot be written: {reason(error)}") from error


def read_bundle(path: Path) -> Bundle:
    """Read a bundle into memory and check everything that it says about itself.

    Raises:
        BundleError: If anything is not as it must be.
    """
    try:
        contents = _read_folder(path) if path.is_dir() else _read_archive(path)
    except FileNotFoundError as error:
        raise BundleError(f"no bundle in {path}: make one with python -m tagger.export") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
    manifest = _checked(path, contents)
    for name in {MODEL, DETECTOR} & set(contents):
        try:
            # Here and not only where it is opened: onnx, too, would read any file that a graph names.
            check_onnx(contents[name], control_flow=name == DETECTOR)
        except ValueError as error:
            raise BundleError(f"{path}: {name} cannot be read: {error}") from error
    card = contents[CARD].decode("utf-8", errors="replace")
    return Bundle(manifest, contents[MODEL], card, contents.get(DETECTOR))


def _checked(path: Path, contents: Mapping[str, bytes]) -> Manifest:
    try:
        manifest = Manifest.from_json(contents[MANIFEST])
    except ManifestError as error:
        raise BundleError(f"{path}, {MANIFEST}: {error}") from error
    expected = (*FILES, DETECTOR) if manifest.detector else FILES
    if set(manifest.files) != set(expected):
        raise BundleError(f"{path}, {MANIFEST}: files must be {', '.join(expected)}, got {sorted(manifest.files)}")
    if missing := set(expected) - set(contents):
        raise BundleError(f"{path} is no bundle, or a part of one: {missing.pop()} is missing")
    for name, (size, sha256) in manifest.files.items():
        if len(contents[name]) != size:
            raise BundleError(f"{path} is damaged: {name} has {len(contents[name]):,} bytes instead of {size:,}")
        if _sha256(contents[name]) != sha256:
            raise BundleError(f"{path} is damaged: {name} has another SHA-256 than {MANIFEST} says; copy it again")
    return manifest


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_archive(path: Path, contents: Mapping[str, bytes]) -> None:
    with written_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in contents.items():
            # A fixed date: the same model gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def _write_folder(path: Path, contents: Mapping[str, bytes]) -> None:
    if path.exists() and not (path / MANIFEST).is_file():
        raise UserError(f"bundle={path} is there and is no bundle: it is left alone; name another folder")
    with folder_whole(path) as folder:
        for name, data in contents.items():
            with written_whole(folder / name) as file:
                file.write(data)


def _read_folder(path: Path) -> dict[str, bytes]:
    names = [MANIFEST, *FILES] + [DETECTOR] * (path / DETECTOR).exists()
    return {name: _read_file(path / name) for name in names}


def _read_file(path: Path) -> bytes:
    try:
        # Not through a link.
        file = _opened(path, getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError as error:
        raise BundleError(f"{path.parent} is no bundle, or a part of one: {path.name} is missing") from error
    with file:
        _check_size(path.parent, path.name, os.fstat(file.fileno()).st_size)
        return file.read(LIMITS[path.name] + 1)


def _opened(path: Path, flags: int = 0) -> io.FileIO:
    """Open a file, without waiting for a pipe."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BundleError(f"{path} is no file")
    return io.FileIO(handle)


def _read_archive(path: Path) -> dict[str, bytes]:
    try:
        with opened_archive(_opened(path), directory=MAX_DIRECTORY) as archive:
            members = archive.infolist()
            _check_members(path, members)
            return {member.filename: archive.read(member) for member in members}
    except ArchiveError as error:
        raise BundleError(f"{path} is no bundle or is damaged: {error}") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive before anything of it is read, unless it holds each file once, as large as it says."""
    for member in members:
        # Nothing is unpacked, so that a name such as ../../x could do no harm; it is no bundle's all the same.
        if member.filename not in LIMITS:
            raise BundleError(f"{path} is no bundle: it holds {member.filename[:200]!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise BundleError(f"{path}: {member.filename} is compressed; a bundle is stored as it is")
        _check_size(path, member.filename, member.file_size)
    names = [member.filename for member in members]
    if sorted(set(names) - {DETECTOR}) != sorted((MANIFEST, *FILES)) or len(set(names)) != len(names):
        missing = sorted({MANIFEST, *FILES} - set(names))
        raise BundleError(
            f"{path} is no bundle: " + (f"{missing[0]} is missing" if missing else "a file is in it twice")
        )
    declared, there = sum(member.file_size for member in members), path.stat().st_size
    if declared > there:
        raise BundleError(f"{path} is damaged: it declares {declared:,} bytes and has {there:,}")


def _check_size(path: Path, name: str, size: int) -> None:
    if size > LIMITS[name]:
        raise BundleError(f"{path}: {name} declares {size:,} bytes, more than {LIMITS[name]:,}")
