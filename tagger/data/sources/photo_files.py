"""Which file is the photo that an XML is about: the one that it names, else the one that is called like the XML."""

import os
import unicodedata
from pathlib import Path, PurePosixPath

import pyarrow as pa

from tagger.data.photo import PHOTO_SUFFIXES
from tagger.data.skipped import Skipped
from tagger.data.storage import leaving


class PhotoFiles:
    """The files of photos in a folder, found by what an XML calls them; every folder is listed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there: dict[str, dict[str, list[str]]] = {}
        """Names by stem, in normal form NFC, by folder below this one."""
        self.taken: dict[str, str] = {}
        """Id of the photo by path."""

    def of(self, photo: str, named: str, xml: Path, skipped: Skipped) -> str:
        """Return the path of a photo below the folder.

        Args:
            photo: Its id, which may begin with folders.
            named: What ``<filename>`` says, or nothing.
            xml: For messages.
            skipped: Counts files that are not where the XML says, or that several XML files are about.
        """
        below, own = PurePosixPath(photo).parent, self._called(photo)
        path = ""
        if named and leaving(pa.array([named]))[0].as_py():
            skipped.add("filename leaves the folder", f"{xml}: {named}")
        elif named:
            path = next(filter(None, map(self._there, (named, str(below / named)))), "")
        if path and own and path not in own:
            skipped.add("filename of another photo than the XML is called, which is opened", f"{xml}: {named}")
        # A photo that is not there is missed by the name that most have.
        path = path or (own[0] if own else f"{photo}.jpg")
        if path in self.taken:
            skipped.add("photo that several XML files are about", f"{xml} and {self.taken[path]}: {path}")
        self.taken[path] = photo
        return path

    def _called(self, photo: str) -> list[str]:
        """Return the photos with this stem, a .jpg first."""
        place = PurePosixPath(photo)
        names = self._names(place.parent).get(_composed(place.name), [])
        photos = [name for name in names if PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES]
        return [str(place.parent / name) for name in sorted(photos, key=lambda name: (not name.endswith(".jpg"), name))]

    def _there(self, path: str) -> str:
        """Return a path as the disk writes it, "" if there is no such file."""
        place = PurePosixPath(path)
        names = self._names(place.parent).get(_composed(place.stem), [])
        alike = (name for name in names if _composed(name) == _composed(place.name))
        found = place.name if place.name in names else next(alike, None)
        return str(place.parent / found) if found else ""

    def _names(self, below: PurePosixPath) -> dict[str, list[str]]:
        if (found := self.there.get(str(below))) is None:
            found = self.there[str(below)] = {}
            folder = self.folder / below
            for name in os.listdir(folder) if folder.is_dir() else ():  # noqa: PTH208 (a Path per file takes seconds)
                found.setdefault(_composed(PurePosixPath(name).stem), []).append(name)
        return found


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
