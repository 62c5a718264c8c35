"""Disks that fill, that cannot be written to, and a TMPDIR on another one: one sentence, and nothing is lost."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.disturbed import Disturbed
from tests.faults.journey import JOURNEY, Step, set_out, travelled
from tests.faults.kills import Killer
from tests.faults.tally import Tally
from tests.faults.typed import Typist

MEGABYTES = 20


def run(folder: Path, *, tests: int, seed: int) -> Tally:
    """Go the journey on a disk of 20 MB; then kill trainings whose TMPDIR is on another disk than the runs."""
    tally, kills = Tally("disks"), tests // 8
    with disk(folder / "disk"):
        typist = Typist(folder / "disk" / "work", folder / "beside")
        set_out(typist.folder)
        dice = random.Random(seed)
        for step, times in travelled(weighed(), tests - kills):
            Disturbed(step, typist, folder).run(tally, times, Disk(folder / "disk", dice))
    with disk(folder / "tmp"):
        typist = Typist(folder / "work", folder / "beside", {"TMPDIR": str(folder / "tmp")})
        set_out(typist.folder)
        train = next(step for step in JOURNEY if step.verb == "train")
        Disturbed(train, typist, folder, traced=True).run(tally, kills, Killer(random.Random(seed)))
    return tally


def weighed() -> list[Step]:
    """Return the steps that start no interpreters; those that write much come more often."""
    return [replace(step, weight=4 if step.weight >= 12 else 1) for step in JOURNEY if step.weight >= 5]


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Mount a small disk in a folder, for a while."""
    if os.geteuid() != 0:
        raise PermissionError(
            "only root can mount disks: unshare --map-root-user --mount python -m tests.faults.campaign disks"
        )
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Disk:
    """Has a command meet a disk that is nearly full, or that cannot be written to."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder = folder
        self.dice = dice

    def __call__(self, disturbed: Disturbed) -> tuple[str, str]:
        """Type the command on such a disk, which is given back whole."""
        step = disturbed.step
        if self.dice.random() < 0.2:
            what = "on a read-only disk"
            subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)
            try:
                ended = disturbed.typist(step.verb, step.words, limit=disturbed.limit)
            finally:
                subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)
            return what, ended.problem(1)
        # As much as it writes, or less.
        left = int(self.dice.uniform(0, 1.2 * (size(disturbed.after) - size(disturbed.before)) + 65536))
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free(self.folder) - left))
        try:
            ended = disturbed.typist(step.verb, step.words, limit=disturbed.limit)
        finally:
            filler.unlink()
        return f"with {left:,} bytes left on the disk", ended.problem(0, 1)


def free(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
