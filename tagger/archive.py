"""ZIP archives from outside: looked over before anything in them is read."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_DIRECTORY = 16 * 2**20
"""Most bytes that list the files of an archive, some hundred for each."""


class ArchiveError(ValueError):
    """An archive that is damaged, or larger than it may be; the message says which."""


class _Bounded(io.BufferedReader):
    """A file of which no more is read at once than a directory has, until that has been read."""

    most: int | None = None

    def read(self, size: int | None = -1) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes")
        return super().read(size)


@contextmanager
def opened_archive(file: io.RawIOBase, *, directory: int = MAX_DIRECTORY) -> Iterator[zipfile.ZipFile]:
    """Open an archive, and close its file in the end.

    Args:
        file: The archive.
        directory: Most bytes that list what is in it: a short file may list millions of names.

    Raises:
        ArchiveError: If it is none, or turns out to be damaged where it is read.
    """
    try:
        with _Bounded(file) as bounded:
            bounded.most = directory
            with zipfile.ZipFile(bounded) as archive:
                bounded.most = None
                yield archive
    # What a damaged archive raises depends on where it is damaged.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OverflowError) as error:
        raise ArchiveError(str(error)) from error


def check_unpacked(path: Path, *, most: int) -> list[zipfile.ZipInfo]:
    """Refuse an archive whose files have more bytes than they may have together; return what it lists.

    Raises:
        OSError: If it cannot be opened.
        ArchiveError: If it is none, or they have more.
    """
    with opened_archive(path.open("rb", buffering=0)) as archive:
        members = archive.infolist()
    if (declared := sum(member.file_size for member in members)) > most:
        raise ArchiveError(f"it unpacks to {declared:,} bytes; at most {most:,} are read")
    return members
