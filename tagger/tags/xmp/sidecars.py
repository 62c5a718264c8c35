"""The sidecars of an album: which file it is, what is left alone and why.

digiKam and darktable call the sidecar of ``beach.jpg`` ``beach.jpg.xmp``, and so do we: ``beach.jpg`` and ``beach.png``
then have one each. Lightroom calls it ``beach.xmp``, and reads one for raw photos only. Such a file is left as it is.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tagger.atomic import mode_of_new_files, written_whole
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.errors import FAILURES, UserError, reason
from tagger.lock import only_writer
from tagger.pages.visible import visible
from tagger.tags.xmp.inside import keywords_inside
from tagger.tags.xmp.keywords import Keywords, Namer
from tagger.tags.xmp.merging import NONE, SidecarError, merged
from tagger.tags.xmp.spans import MAX_BYTES

OF_LIGHTROOM = "have a sidecar under Lightroom's name as well, which stays as it is"

WRITERS = 8
"""Files that are written at a time: each waits until it is on the disk, and most of all for the others."""


@dataclass(frozen=True)
class Outcome:
    """What became of one photo's sidecar."""

    path: str
    is_written: bool = False
    why_not: str = ""
    """Why the photo has none of ours; "" if it has."""
    is_failure: bool = False
    """Whether it should have one, and the disk refused."""
    of_lightroom: str = ""
    """The other sidecar that it has."""


class Sidecars:
    """Writes the sidecars of photos and counts what became of them; use it in a ``with`` block."""

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.written = 0
        self.unchanged = 0
        self.left_alone = Skipped()
        """Why photos have no sidecar of ours."""
        self.failed = Skipped()
        """Why sidecars could not be written."""
        self.of_lightroom = Skipped()
        """Photos that have another one, under Lightroom's name."""
        self.new_mode = mode_of_new_files()
        self.writers = ThreadPoolExecutor(WRITERS)

    def __enter__(self) -> "Sidecars":
        return self

    def __exit__(self, *_: object) -> None:
        self.writers.shutdown()

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write the sidecars of photos, given as they are in the lines of a tag file; one that is right is not touched.

        A photo that could not be read keeps the sidecar that it has: nothing is known of it.
        """
        good = (line for line in lines if "error" not in line)
        while some := list(islice(good, 8 * WRITERS)):
            for outcome in self.writers.map(self._outcome, some):
                self._count(outcome)

    def lines(self) -> Iterator[str]:
        """Yield what became of them, in sentences."""
        yield f"{self.written:,} sidecars written, {self.unchanged:,} were up to date"
        for skipped in (self.left_alone, self.failed, self.of_lightroom):
            for why, times in sorted(skipped.counts.items()):
                yield f"{times:,} photos: {why}, for instance {skipped.examples[why][0]}"

    def check(self) -> None:
        """Tell what could not be written.

        Raises:
            UserError: If there is anything.
        """
        for why, _ in self.failed.counts.most_common(1):
            example = visible(self.failed.examples[why][0])
            raise UserError(
                f"{self.failed.counts.total():,} sidecars could not be written, for instance {example}: {why}; "
                "then the same command writes what is missing"
            )

    def _outcome(self, line: Mapping[str, Any]) -> Outcome:
        photo = line["photo"]
        if is_url(photo):
            return Outcome(photo, why_not="have no sidecar, they are behind a URL")
        path = Path(f"{photo}.xmp")
        try:
            other = path.with_name(f"{Path(photo).stem}.xmp")
            of_lightroom = str(other) if other != path and os.path.lexists(other) else ""
            keywords = self.namer.keywords(line["tags"])
            # Without tags nothing in the photo is hidden.
            inside = keywords_inside(photo) if line["tags"] else NONE
            is_written = write_sidecar(path, keywords, inside, new_mode=self.new_mode)
            return Outcome(str(path), is_written=is_written, of_lightroom=of_lightroom)
        except SidecarError as error:
            return Outcome(str(path), why_not=f"have a sidecar that was left as it is: {error}")
        except OSError as error:
            if error.errno in FAILURES and error.errno != errno.ENAMETOOLONG:
                return Outcome(str(path), why_not=reason(error), is_failure=True)
            # Of the photo, not of the disk: it is gone, or its name is as long as names may be.
            return Outcome(str(path), why_not=f"have a sidecar that cannot be written: {error.strerror}")

    def _count(self, outcome: Outcome) -> None:
        if outcome.why_not:
            (self.failed if outcome.is_failure else self.left_alone).add(outcome.why_not, outcome.path)
            return
        self.written += outcome.is_written
        self.unchanged += not outcome.is_written
        if outcome.of_lightroom:
            self.of_lightroom.add(OF_LIGHTROOM, outcome.of_lightroom)


@contextmanager
def only_here(places: Iterable[str]) -> Iterator[None]:
    """Keep other commands from writing sidecars into the same folders: a photo would get some tags of each.

    Args:
        places: As for `tagger.data.finding.found`; what is no folder is left open.

    Raises:
        UserError: If another process is writing there; says which one.
    """
    folders = {os.path.realpath(os.path.expanduser(place)) for place in places if not is_url(place)}  # noqa: PTH111
    with ExitStack() as locks:
        for folder in filter(os.path.isdir, sorted(folders)):
            # What cannot be written is told with the sidecars, when the tags are safe.
            with suppress(OSError):
                locks.enter_context(only_writer(Path(folder), way_out="leave xmp=true out"))
        yield


def write_sidecar(path: Path, keywords: Keywords, inside: Keywords = NONE, *, new_mode: int) -> bool:
    """Bring a sidecar up to date, whole or not at all, and return whether it had to be changed.

    Args:
        path: Where it is.
        keywords: What to say of the photo.
        inside: Keywords that the photo itself holds.
        new_mode: Who may read and write one that was not there.

    Raises:
        SidecarError: If what is there cannot be changed without harm; it is then as it was.
        OSError: If it cannot be read or written.
    """
    status = _status(path)
    # An empty file is what a power cut leaves of a new one.
    changed = merged((path.read_bytes() or None) if status else None, keywords, inside)
    if changed is None:
        return False
    with written_whole(path, mode=stat.S_IMODE(status.st_mode) if status else new_mode) as file:
        file.write(changed)
    return True


def _status(path: Path) -> os.stat_result | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        # Reading a pipe would wait for ever; in the place of a link there would be a file.
        raise SidecarError("a link" if stat.S_ISLNK(status.st_mode) else "not a file")
    if not status.st_mode & stat.S_IWUSR:
        raise SidecarError("write-protected")
    if status.st_size > MAX_BYTES:
        raise SidecarError(f"{status.st_size:,} bytes are more than {MAX_BYTES:,}")
    return status
