"""Photos on the machine of the server: only below the one folder that the command names, whatever a page asks for."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tagger.data.finding import found
from tagger.data.skipped import Skipped
from tagger.errors import UserError


class Root:
    """The folder below which a page may name folders.

    Args:
        folder: As the command names it; links in it are followed once, here.

    Raises:
        UserError: If it is no folder.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self.folder = Path(os.path.realpath(folder.expanduser()))
        if not self.folder.is_dir():
            raise UserError(f"root={folder}: there is no such folder")

    def photos(self, name: str, *, limit: int) -> list[str]:
        """Return the paths of the photos in a folder and below, the first ones if there are more than ``limit``.

        Args:
            name: Relative to the root, or absolute and in it; empty for the root itself.
            limit: Most photos.

        Raises:
            UserError: If the folder is not there or not in the root, or has no photo.
        """
        folder = self._inside(name)
        inside = list(islice(self._below(folder), limit))
        if not inside:
            raise UserError(f"no photo in {name or self.name}")
        return inside

    def opened(self, path: str) -> BinaryIO:
        """Open a photo that :meth:`photos` gave, if it is still a file in the root.

        Raises:
            OSError: If it cannot be opened.
            ValueError: If it is not in the root, or something else than a file: opening a pipe would wait for ever.
        """
        real = os.path.realpath(path)
        if not self._holds(Path(real)):
            raise ValueError("not in the folder that may be opened")
        if not stat.S_ISREG(os.lstat(real).st_mode):
            raise ValueError("not a file")
        return open(real, "rb", opener=_open_file)

    def _below(self, folder: Path) -> Iterator[str]:
        for photo in found([str(folder)], Skipped()):
            # A link in the folder may point anywhere.
            if self._holds(Path(os.path.realpath(photo))):
                yield photo

    def _inside(self, name: str) -> Path:
        try:
            folder = Path(os.path.realpath(self.folder / os.path.expanduser(name.strip())))  # noqa: PTH111
            # Of a place outside nobody learns whether it is there.
            if self._holds(folder) and folder.is_dir():
                return folder
        # A null byte, or a name that no file system has.
        except (ValueError, OSError):
            pass
        raise UserError(f"there is no folder {name!r} in {self.name}")

    def _holds(self, path: Path) -> bool:
        return path == self.folder or self.folder in path.parents


def _open_file(path: str, flags: int) -> int:
    """Open what a path names itself; if that has just become a link it is not followed, a pipe is not waited for."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
