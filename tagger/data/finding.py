"""Which photos are meant by what a user types: a folder, a pattern, a file, a list of them, a URL.

Photos come one at a time, in an order that is the same every time, so that neither a large folder nor a long list is
ever held in memory. A name may be anything that a file system allows, also bytes that are not UTF-8.
"""

import glob
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tagger.data.normal_form import as_on_disk
from tagger.data.photo import PHOTO_SUFFIXES
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.errors import UserError
from tagger.lock import IN_FOLDER

OF_A_SYSTEM = frozenset(
    {
        # Synology, QNAP, NetApp and other stores in a network: thumbnails, what was deleted, what was before.
        *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin", "@__thumb"),
        *("~snapshot", "#@local"),
        # macOS, on disks that are not its own and in archives.
        *("__macosx", "network trash folder", "temporary items"),
        *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
        "lost+found",
    }
)
"""What systems keep beside photos, in small letters."""


def left_out(name: str) -> str | None:
    """Return why a walk passes over a file or folder of this name, None if it does not.

    Everything that walks through folders asks here. What a user or a table names itself is not asked about.

    Example:
        >>> left_out("._a.jpg"), left_out("@eaDir"), left_out("2019")
        ('hidden', 'kept by a system, not by a person', None)
    """
    if name.startswith("."):
        return "hidden"
    # Synology's thumbnails keep their names where the folder around them was renamed.
    if name.casefold() in OF_A_SYSTEM or name.startswith("SYNOFILE_THUMB_"):
        return "kept by a system, not by a person"
    return None


def found(places: Sequence[str], skipped: Skipped) -> Iterator[str]:
    """Yield the photos of all places in turn.

    Args:
        places: Folders (with all below, without what ``left_out`` names), patterns such as ``2019/**/*.jpg``, photos,
            ``.txt`` files with a photo per line, or fsspec URLs of any of these but the last. In folders photos are
            known by their suffix; a file or a pattern means what it names.
        skipped: Counts what is left out.

    Raises:
        UserError: If there is nothing in a place, or it cannot be read.
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
    place = as_on_disk(place)
    # What is there is meant, even if its name looks like a pattern.
    if os.path.isdir(place):  # noqa: PTH112
        yield from _below(place, skipped)
    elif os.path.lexists(place):
        yield from _listed(place) if place.lower().endswith(".txt") else [place]
    elif glob.has_magic(place):
        yield from _matching(place, skipped)
    else:
        raise UserError(f"photos={place}: there is no such file or folder")


def entries(folder: Path | str) -> "list[os.DirEntry[str]]":
    """Return what is in a folder, in the order of the names.

    Raises:
        OSError: If it cannot be read.
    """
    with os.scandir(folder) as listing:
        return sorted(listing, key=lambda entry: entry.name)


def is_folder(entry: "os.DirEntry[str]", *, follow: bool = True) -> bool:
    """Return whether something in a folder is a folder, or with ``follow`` a link to one.

    A link that leads in a circle, or to where nobody may look, is none.
    """
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False


def _readable(folder: str, skipped: Skipped) -> "list[os.DirEntry[str]]":
    """Return what is in a folder; one that cannot be read is counted."""
    try:
        # An empty folder name gives paths without "./" in front.
        return entries(folder or ".")
    except OSError as error:
        skipped.add(f"folder cannot be read: {error.strerror}", folder)
        return []


def _below(folder: str, skipped: Skipped) -> Iterator[str]:
    """Yield the photos in a folder and below, in the order of their names; links to folders are not followed."""
    try:
        waiting = entries(folder)[::-1]
    except OSError as error:
        raise UserError(f"photos={folder} cannot be read: {error.strerror}") from error
    # Not by calling itself: folders may lie in each other deeper than Python goes.
    while waiting:
        entry = waiting.pop()
        if reason := left_out(entry.name):
            # Our own is there only now.
            if entry.name != IN_FOLDER:
                skipped.add(reason, entry.path)
        elif is_folder(entry, follow=False):
            waiting += _readable(entry.path, skipped)[::-1]
        elif is_folder(entry):
            skipped.add("a link to a folder", entry.path)
        elif is_photo_name(entry.name):
            yield entry.path
        else:
            is_sidecar = entry.name.lower().endswith(".xmp")
            skipped.add("a sidecar" if is_sidecar else "no photo by its name", entry.path)


def _matching(pattern: str, skipped: Skipped) -> Iterator[str]:
    """Yield the files that match, in an order that is the same every time.

    Not by Python's glob: its ``**`` follows links, so that a folder with a link to itself is forty folders.
    """
    root, parts = ("/", pattern.lstrip("/")) if pattern.startswith("/") else ("", pattern)
    nothing = True
    for path in _below_matching(root, [part for part in parts.split("/") if part], skipped):
        nothing = False
        yield path
    if nothing:
        raise UserError(f"photos={pattern}: no file matches")


def _below_matching(folder: str, parts: list[str], skipped: Skipped) -> Iterator[str]:
    first, rest = parts[0], parts[1:]
    if first == "**":
        yield from _below_matching(folder, rest or ["*"], skipped)
    elif not glob.has_magic(first):
        path = os.path.join(folder, as_on_disk(first, folder))  # noqa: PTH118
        if rest:
            if os.path.isdir(path):  # noqa: PTH112
                yield from _below_matching(path, rest, skipped)
        elif os.path.isfile(path):  # noqa: PTH113
            yield path
        return
    for entry in _readable(folder, skipped):
        path = entry.path if folder else entry.name
        is_deep = first == "**"
        if not (is_folder(entry, follow=False) if is_deep else _matches(entry, first, is_last=not rest)):
            continue
        if (reason := left_out(entry.name)) and not _means(first, entry.name):
            skipped.add(reason, path)
        elif is_deep or rest:
            yield from _below_matching(path, parts if is_deep else rest, skipped)
        else:
            yield path


def _matches(entry: "os.DirEntry[str]", pattern: str, *, is_last: bool) -> bool:
    is_named = fnmatchcase(entry.name, pattern) or fnmatchcase(_composed(entry.name), _composed(pattern))
    return is_named and is_folder(entry) != is_last


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _means(pattern: str, name: str) -> bool:
    """Return whether a part of a pattern is about such names on purpose: ``.t*`` about hidden ones, ``@*`` too.

    Example:
        >>> _means(".t*", ".thumbnails"), _means("*", ".thumbnails"), _means("S*", "System Volume Information")
        (True, False, False)
    """
    return pattern == name or (pattern[0] == name[0] and not name[0].isalnum())


def _listed(file: str) -> Iterator[str]:
    with Path(file).open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for line in lines:
            if place := line.rstrip("\r\n"):
                yield as_on_disk(place)


def _behind_url(url: str, skipped: Skipped) -> Iterator[str]:
    """Yield URLs below a URL that is a folder, that match it if it is a pattern, or itself."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        if glob.has_magic(path):
            names: Iterable[str] = _globbed(sorted(filesystem.glob(path)), path.split("/"), skipped)
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


def _globbed(names: list[str], pattern: list[str], skipped: Skipped) -> Iterator[str]:
    for name in names:
        parts = (part for part in name.split("/") if part)
        strange = (part for part in parts if left_out(part) and not any(_means(own, part) for own in pattern if own))
        if part := next(strange, None):
            skipped.add(str(left_out(part)), name)
        else:
            yield name


def _walked(filesystem: Any, path: str, skipped: Skipped) -> Iterator[str]:
    for folder, folders, files in filesystem.walk(path):
        for name in [name for name in folders if left_out(name)]:
            skipped.add(str(left_out(name)), f"{folder}/{name}")
            folders.remove(name)
        folders.sort()
        for name in sorted(files):
            if reason := left_out(name):
                skipped.add(reason, f"{folder}/{name}")
            elif is_photo_name(name):
                yield f"{folder.rstrip('/')}/{name}"
            else:
                skipped.add("no photo by its name", f"{folder}/{name}")
