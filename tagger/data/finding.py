"""Which photos are meant by what a user types: a folder, a pattern, a file, a list of them, a URL.

Photos come one at a time, in an order that is the same every time, so that neither a large folder nor a long list is
ever held in memory. A name may be anything that a file system allows, also bytes that are not UTF-8.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tagger.data.photo import PHOTO_SUFFIXES
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.errors import UserError


def found(places: Sequence[str], skipped: Skipped) -> Iterator[str]:
    """Yield the photos of all places in turn.

    Args:
        places: Folders (with all below, without what is hidden), patterns such as ``2019/**/*.jpg``, photos,
            ``.txt`` files with a photo per line, or fsspec URLs of any of these but the last. In folders photos are
            known by their suffix; a file or a pattern means what it names.
        skipped: Counts what is left out.

    Raises:
        UserError: If there is nothing in a place.
    """
    for place in places:
        if is_url(place):
            yield from _behind_url(place, skipped)
        else:
            yield from _local(os.path.expanduser(place), skipped)  # noqa: PTH111 (a Path drops "./" and a last "/")


def is_photo_name(name: str) -> bool:
    """Return whether a file's name ends like a photo's.

    Example:
        >>> is_photo_name("a/b.JPG"), is_photo_name("notes.txt")
        (True, False)
    """
    return os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES  # noqa: PTH122 (a Path per file takes seconds)


def _local(place: str, skipped: Skipped) -> Iterator[str]:
    # What is there is meant, even if its name looks like a pattern.
    if os.path.isdir(place):  # noqa: PTH112
        yield from _below(place, skipped)
    elif os.path.lexists(place):
        yield from _listed(place) if place.lower().endswith(".txt") else [place]
    elif glob.has_magic(place):
        yield from _matching(place)
    else:
        raise UserError(f"photos={place}: there is no such file or folder")


def _below(folder: str, skipped: Skipped) -> Iterator[str]:
    """Yield the photos in a folder and below, in the order of their names; links to folders are not followed."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        skipped.add(f"folder cannot be read: {error.strerror}", folder)
        return
    for entry in entries:
        if entry.name.startswith("."):
            skipped.add("hidden", entry.path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, skipped)
        elif entry.is_dir():
            skipped.add("a link to a folder", entry.path)
        elif is_photo_name(entry.name):
            yield entry.path
        else:
            is_sidecar = entry.name.lower().endswith(".xmp")
            skipped.add("a sidecar" if is_sidecar else "no photo by its name", entry.path)


def _matching(pattern: str) -> Iterator[str]:
    """Yield the files that match, in an order that is the same every time.

    Not by Python's glob: its ``**`` follows links, so that a folder with a link to itself is forty folders.
    """
    root, parts = ("/", pattern.lstrip("/")) if pattern.startswith("/") else ("", pattern)
    nothing = True
    for path in _below_matching(root, [part for part in parts.split("/") if part]):
        nothing = False
        yield path
    if nothing:
        raise UserError(f"photos={pattern}: no file matches")


def _below_matching(folder: str, parts: list[str]) -> Iterator[str]:
    first, rest = parts[0], parts[1:]
    if first == "**":
        yield from _below_matching(folder, rest or ["*"])
    elif not glob.has_magic(first):
        path = os.path.join(folder, first)  # noqa: PTH118
        if rest:
            yield from _below_matching(path, rest)
        elif os.path.isfile(path):  # noqa: PTH113
            yield path
        return
    for entry in _entries(folder):
        if first == "**":
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _below_matching(entry.path if folder else entry.name, parts)
        elif fnmatchcase(entry.name, first) and (first.startswith(".") or not entry.name.startswith(".")):
            if rest and entry.is_dir():
                yield from _below_matching(entry.path if folder else entry.name, rest)
            elif not rest and not entry.is_dir():
                yield entry.path if folder else entry.name


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        # An empty folder name gives paths without "./" in front.
        with os.scandir(folder or ".") as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        return []
    return entries


def _listed(file: str) -> Iterator[str]:
    with Path(file).open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for line in lines:
            if place := line.rstrip("\r\n"):
                yield place


def _behind_url(url: str, skipped: Skipped) -> Iterator[str]:
    """Yield URLs below a URL that is a folder, that match it if it is a pattern, or itself."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        if glob.has_magic(path):
            names: Iterable[str] = sorted(filesystem.glob(path))
        elif filesystem.isdir(path) and not filesystem.isfile(path):
            names = _walked(filesystem, path, skipped)
        else:
            yield url
            return
        for name in names:
            yield filesystem.unstrip_protocol(name)
    # Every store raises what its client library raises.
    except Exception as error:
        raise UserError(f"photos={url} cannot be listed: {type(error).__name__}: {error}") from error


def _walked(filesystem: Any, path: str, skipped: Skipped) -> Iterator[str]:
    for folder, folders, files in filesystem.walk(path):
        folders.sort() if isinstance(folders, list) else None
        for name in sorted(files):
            if is_photo_name(name):
                yield f"{folder.rstrip('/')}/{name}"
            else:
                skipped.add("no photo by its name", f"{folder}/{name}")
