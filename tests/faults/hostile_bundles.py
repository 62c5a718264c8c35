"""Bundles, checkpoints, run folders and settings made to harm who opens them.

Each is opened in a process of its own, in a folder with a canary: a file that nothing may open. It must end within 20
seconds, with what it is for or with a sentence, in 2 GiB more than it began with. Nothing in it may be run, no variable
of the environment may show, and what can only be meant to harm must be refused.
"""

import ctypes
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import commands
import numpy as np
import torch

from tagger.errors import UserError
from tests.faults.hostile import archives, checkpoints, graphs, runs, settings  # noqa: F401 - each adds its kinds
from tests.faults.hostile.bundles import manifest
from tests.faults.hostile.checkpoints import trained
from tests.faults.hostile.place import CASES, SECRET, Place
from tests.faults.tally import Tally

HANG_SECONDS, MEMORY_BYTES = 20.0, 2 << 30

PATIENCE = 6
"""How much longer it may take on a machine that has other things to do."""

OPEN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tests.faults.hostile_bundles import opened; opened()"


def run(folder: Path, *, tests: int, seed: int) -> Tally:
    """Make so many hostile files, each kind in turn, and open them."""
    tally, dice = Tally("hostile bundles"), random.Random(seed)
    watched = Canary(folder / "watched")
    (folder / "watched").read_bytes()
    assert watched.touched(), "the kernel does not tell who opens a file"
    checkpoint = folder / "whole" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    torch.save(trained(), checkpoint)
    for number in range(tests):
        what, name, refused, make = CASES[number % len(CASES)]
        work = folder / str(number)
        work.mkdir()
        canary = Canary(work / "canary")
        place = Place(work, folder / f"{number}.ran", checkpoint, random.Random(dice.random()))
        path = make(place)
        found = opening(what, path, work, refused=refused), canary.touched()
        problem = "what is in it was run" if place.marker.exists() else found[0] or found[1]
        tally.check(f"{name} ({what}, test {number} of seed {seed}): {problem}", not problem)
    return tally


class Canary:
    """A file that nothing may open: the kernel tells of everyone who does."""

    OPEN, ACCESS = 0x20, 0x1

    def __init__(self, path: Path) -> None:
        path.write_bytes(np.full(64, 0.731, np.float32).tobytes() + SECRET.encode())
        libc = ctypes.CDLL(None)
        self.handle = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.handle, os.fsencode(path), self.OPEN | self.ACCESS) >= 0

    def touched(self) -> str:
        """Say that it was opened; "" if it was not."""
        try:
            return "a file beside it was opened" if os.read(self.handle, 4096) else ""
        except BlockingIOError:
            return ""
        finally:
            os.close(self.handle)


def opening(what: str, path: Path, work: Path, *, refused: bool) -> str:
    """Open a file in a process of its own, and say what is wrong with how that ended; "" if nothing is."""
    told = work / "told.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGGER_TRUST")}
    # The bounds that this machine's owner sets; the shorter they are, the shorter is this.
    own = {"TAGGER_GRAPH_SECONDS": "2", "TAGGER_GRAPH_GIB": "1", "SECRET": SECRET, "TAGGER_CACHE": str(work / "cache")}
    root = str(Path(__file__).parents[2])
    with (work / "output").open("wb") as output:
        process = commands.Popen(
            [sys.executable, "-c", OPEN, root, what, str(path), str(told)],
            cwd=work,
            env=environment | own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if not ends(process):
            process.kill()
            process.wait()
            return f"it did not end within {HANG_SECONDS:.0f} s"
    said = (work / "output").read_text(errors="replace")
    if not told.is_file():
        return f"it ended with {process.returncode}: {said[-300:]}"
    outcome = json.loads(told.read_text())
    if SECRET in said + outcome["said"]:
        return "it says what is in the environment"
    if outcome["bytes"] > MEMORY_BYTES:
        return f"it took {outcome['bytes'] / 2**30:.1f} GiB"
    if outcome["traceback"] or "Traceback" in said:
        return f"a traceback: {outcome['said'] or said[-300:]}"
    return "it was not refused" if refused and outcome["good"] else ""


def ends(process: "subprocess.Popen[bytes]") -> bool:
    """Wait until a process has ended, for 20 seconds of its own: others may have the cores."""
    deadline = time.monotonic() + PATIENCE * HANG_SECONDS
    while time.monotonic() < deadline:
        try:
            process.wait(0.2)
            return True
        except subprocess.TimeoutExpired:
            with suppress(FileNotFoundError, ProcessLookupError):
                own = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                if sum(map(int, own[11:13])) > HANG_SECONDS * os.sysconf("SC_CLK_TCK"):
                    return False
    return False


def opened() -> None:
    """Open a file as the commands do, and tell how that ended: what runs in a process of its own."""
    what, path, told = sys.argv[1:]
    before, outcome = peak(), {"good": False, "traceback": False, "said": ""}
    try:
        outcome["said"] = str(OPENERS[what](Path(path)))
        outcome["good"] = True
    except UserError as error:
        outcome["said"] = str(error)
        outcome["traceback"] = not str(error).strip()
    except Exception as error:
        outcome |= {"traceback": True, "said": f"{type(error).__name__}: {error!s:.300}"}
    Path(told).write_text(json.dumps(outcome | {"bytes": peak() - before}))
    # As a command ends, and not waiting for a thread that never will.
    sys.stdout.flush()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def open_bundle(path: Path) -> str:
    """Load a bundle, and tag two photos with it."""
    from tagger import Tagger

    profile = path.parent / "profile.yaml"
    tagger = Tagger.load(path, profile=profile if profile.is_file() else None, threads=1)
    photos = np.stack([np.full((tagger.framing.size,) * 2 + (3,), value, np.uint8) for value in (0, 255)])
    scored = tagger.run(photos, tagger.detected([photos[0], photos[1]]))
    assert scored.scores.min() >= 0 and scored.scores.max() <= 1
    return str([list(tags)[:5] for tags in tagger.tags_of(scored)])


def open_checkpoint(path: Path) -> str:
    from tagger.tags.delivery.trained import describe, read_run, read_trained

    trained = read_trained(path)
    return describe(trained, read_run(path)).to_json()[:1000]


def open_run(path: Path) -> str:
    """Read a run's folder, and build its data as an export to integers does."""
    from tagger.tags.delivery.eight_bit import as_trained
    from tagger.tags.delivery.trained import read_run, read_trained

    data, target = as_trained(read_trained(path), read_run(path))
    return f"{data.taxonomy.ids} {target}"[:1000]


def open_space(path: Path) -> str:
    """Read a space, and compose its choices as a search does before it trains."""
    from tagger.studies.composing import composing
    from tagger.studies.search.space import read_space
    from tagger.studies.search.trainings import Trainings

    with composing():
        trainings = Trainings(("logger=csv",), read_space(str(path)), "hostile")
        trainings.check_space()
        return str(trainings.start(seed=0))[:1000]


def open_profile(path: Path) -> str:
    from tagger.tags.profiles.completion import Completion
    from tagger.tags.profiles.profile import Profile

    applied = Profile.read(path).applied(manifest())
    Completion([label.id for label in applied.labels], applied.relations)
    return str(applied.labels)[:1000]


def open_taxonomy(path: Path) -> str:
    from tagger.data.taxonomy import read_taxonomy

    return str(read_taxonomy(str(path)).closure.shape)


def open_words(path: Path) -> str:
    """Take the words of the last step of cleaning out of its file."""
    from tagger.cleaning.last import as_last_time

    assert path.is_file()
    return str(as_last_time(["step=queue"]) or UserError("nothing is taken"))


OPENERS: dict[str, Callable[[Path], str]] = {
    "bundle": open_bundle,
    "checkpoint": open_checkpoint,
    "run": open_run,
    "space": open_space,
    "profile": open_profile,
    "taxonomy": open_taxonomy,
    "words": open_words,
}
