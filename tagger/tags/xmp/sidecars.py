"""The sidecars of an album: which file it is, what is left alone and why.

digiKam and darktable call the sidecar of ``beach.jpg`` ``beach.jpg.xmp``, and so do we: ``beach.jpg`` and ``beach.png``
then have one each. Lightroom calls it ``beach.xmp``, and reads one for raw photos only. Such a file is left as it is.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tagger.atomic import written_whole
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.tags.xmp.keywords import Keywords, Namer
from tagger.tags.xmp.merging import SidecarError, merged
from tagger.tags.xmp.spans import MAX_BYTES

OF_LIGHTROOM = "have a sidecar under Lightroom's name as well, which stays as it is"


class Sidecars:
    """Writes the sidecars of photos and counts what became of them."""

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.written = 0
        self.unchanged = 0
        self.left_alone = Skipped()
        """Why photos have no sidecar of ours."""
        self.of_lightroom = Skipped()
        """Photos that have another one, under Lightroom's name."""

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write the sidecars of photos, given as they are in the lines of a tag file; one that is right is not touched.

        A photo that could not be read keeps the sidecar that it has: nothing is known of it.
        """
        for line in lines:
            if "error" not in line:
                self._write(line["photo"], self.namer.keywords(line["tags"]))

    def told(self) -> Iterator[str]:
        """Yield what became of them, in sentences."""
        yield f"{self.written:,} sidecars written, {self.unchanged:,} were up to date"
        for skipped in (self.left_alone, self.of_lightroom):
            for reason, times in sorted(skipped.counts.items()):
                yield f"{times:,} photos: {reason}, for instance {skipped.examples[reason][0]}"

    def _write(self, photo: str, keywords: Keywords) -> None:
        if is_url(photo):
            self.left_alone.add("have no sidecar, they are behind a URL", photo)
            return
        path = Path(f"{photo}.xmp")
        try:
            other = path.with_name(f"{Path(photo).stem}.xmp")
            if other != path and os.path.lexists(other):
                self.of_lightroom.add(OF_LIGHTROOM, str(other))
            changed = write_sidecar(path, keywords)
        except SidecarError as error:
            self.left_alone.add(f"have a sidecar that was left as it is: {error}", str(path))
        except OSError as error:
            self.left_alone.add(f"have a sidecar that cannot be written: {error.strerror}", str(path))
        else:
            self.written += changed
            self.unchanged += not changed


def write_sidecar(path: Path, keywords: Keywords) -> bool:
    """Bring a sidecar up to date, whole or not at all, and return whether it had to be changed.

    Raises:
        SidecarError: If what is there cannot be changed without harm; it is then as it was.
        OSError: If it cannot be read or written.
    """
    status = _status(path)
    # An empty file is what a power cut leaves of a new one.
    changed = merged((path.read_bytes() or None) if status else None, keywords)
    if changed is None:
        return False
    with written_whole(path, mode=stat.S_IMODE(status.st_mode) if status else None) as file:
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
