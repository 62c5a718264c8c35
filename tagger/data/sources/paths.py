"""Paths that come from outside: those that stay in their folder, and what lies in folders named after labels."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.finding import entries, is_folder, is_photo_name, left_out
from tagger.data.sources.source import Skipped, SourceError
from tagger.data.storage import leaving


def staying(table: pa.Table, column: str, skipped: Skipped, file: Path) -> pa.Table:
    """Return the rows whose path stays in its folder; the others are counted as "path leaves the folder"."""
    out = leaving(table[column])
    for path in table[column].filter(out).to_pylist():
        skipped.add("path leaves the folder", f"{file}: {path}")
    return table.filter(pc.invert(out))


def photos_by_folder(root: Path, skipped: Skipped) -> Iterator[tuple[str, pa.Array]]:
    """Yield the name of every sub-folder and the photos at any depth below it, like ``torchvision``'s ImageFolder.

    Args:
        root: Folder of the folders; photos that lie in it directly are counted as left out.
        skipped: Also counts files that do not end like a photo, what ``left_out`` names, folders that cannot be
            read, and links to folders: those can leave the root or run in circles.

    Yields:
        Folders in alphabetical order, and strings: paths relative to ``root``, with "/", in alphabetical order.

    Raises:
        SourceError: If the root cannot be read.
    """
    try:
        top = entries(root)
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error.strerror}") from error
    for entry in top:
        if not is_folder(entry):
            if is_photo_name(entry.name):
                skipped.add(left_out(entry.name) or "photo in no folder", _shown(entry))
        elif _enters(entry, skipped):
            yield entry.name, pa.array(sorted(_photos_below(entry, skipped)), pa.string())


def _photos_below(top: "os.DirEntry[str]", skipped: Skipped) -> Iterator[str]:
    """Yield the paths of photos, beginning with the name of the folder."""
    folders = [(top.path, top.name)]
    while folders:
        folder, prefix = folders.pop()
        try:
            inside = entries(folder)
        except OSError as error:
            skipped.add(f"folder cannot be read: {error.strerror}", _printable(folder))
            continue
        for entry in inside:
            path = f"{prefix}/{entry.name}"
            if is_folder(entry):
                if _enters(entry, skipped):
                    folders.append((entry.path, path))
            elif reason := left_out(entry.name):
                skipped.add(reason, _shown(entry))
            elif not is_photo_name(entry.name):
                skipped.add("not a photo by its name", _shown(entry))
            elif not _is_text(path):
                skipped.add("name is not UTF-8", _shown(entry))
            else:
                yield path


def _enters(entry: "os.DirEntry[str]", skipped: Skipped) -> bool:
    if reason := left_out(entry.name):
        skipped.add(reason, _shown(entry))
    elif entry.is_symlink():
        skipped.add("link to a folder", _shown(entry))
    elif not _is_text(entry.name):
        skipped.add("name is not UTF-8", _shown(entry))
    else:
        return True
    return False


def _is_text(name: str) -> bool:
    """Return whether a table can hold the name: Python smuggles other bytes through as surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(entry: "os.DirEntry[str]") -> str:
    return _printable(entry.path)


def _printable(path: str) -> str:
    """Return a path that can be printed, whatever its bytes are."""
    return path.encode(errors="backslashreplace").decode()
