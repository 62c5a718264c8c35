"""A command as typed, watched: whether it ends, how, and at which file event it is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import commands

HANG_SECONDS = 20.0
"""A command that takes so much longer than it should hangs."""

EVENTS = (
    *("fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "mkdir"),
    *("ftruncate", "write", "pwrite64"),
)
"""System calls that change what is on the disk, whatever language made them."""

# Stops until strace is attached, then does what python -m does.
STOPPED = """
import os, runpy, signal, sys
module = sys.argv.pop(1)
sys.orig_argv = [sys.executable, "-m", module, *sys.argv[1:]]
os.kill(os.getpid(), signal.SIGSTOP)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    """Negative is the number of the signal that ended it."""
    output: str
    seconds: float
    hung: bool = False

    def problem(self, *exit_codes: int) -> str:
        """Say what is wrong with how it ended; "" if it ended with one of these exit codes, and in words."""
        if self.hung:
            return f"hung after {self.seconds:.0f} s"
        if "Traceback (most recent call last)" in self.output:
            return f"traceback: {last_line(self.output)}"
        if self.exit_code not in exit_codes:
            return f"exit code {self.exit_code}: {last_line(self.output)}"
        return ""


@dataclass(frozen=True)
class Event:
    """The ``ordinal``-th call of one kind in one thread."""

    call: str
    ordinal: int
    what: str
    """The call as strace shows it."""


def last_line(output: str) -> str:
    """Return the last line that says anything."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "nothing said"


class Typist:
    """Types commands in a folder; they are forked from a process that has imported everything.

    Args:
        folder: Where they are typed.
        beside: A folder for what they say, their traces and what they put into TMPDIR.
        environment: Variables that they get, too.
    """

    def __init__(self, folder: Path, beside: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.beside = beside
        (beside / "tmp").mkdir(parents=True, exist_ok=True)
        settings = {
            "TAGGER_CACHE": str(folder / "cache"),
            "TMPDIR": str(beside / "tmp"),
            "COLUMNS": "200",
            # Two threads of two commands on two cores wait for each other.
            "OMP_NUM_THREADS": "1",
        }
        dropped = ("TAGGER_RUN_FOLDER", "MLFLOW_TRACKING_URI", "PYTEST_CURRENT_TEST")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        self.environment = kept | settings | (environment or {})

    def __call__(self, verb: str, words: Sequence[str], *, limit: float = 3 * HANG_SECONDS) -> Ended:
        """Type a command and wait until it ends."""
        return self._run(["-m", f"tagger.{verb}", *words], limit=limit)

    def killed_after(self, seconds: float, verb: str, words: Sequence[str]) -> Ended:
        """Kill a command after so many seconds."""
        return self._run(["-m", f"tagger.{verb}", *words], limit=seconds, is_kill=True)

    def killed_at(self, event: Event, verb: str, words: Sequence[str], *, limit: float = 3 * HANG_SECONDS) -> Ended:
        """Kill a command before it does what the event says."""
        inject = f"--inject={event.call}:signal=SIGKILL:when={event.ordinal}"
        return self._run(
            ["-c", STOPPED, f"tagger.{verb}", *words], limit=limit, strace=[f"--trace={event.call}", inject]
        )

    def events(self, verb: str, words: Sequence[str], *, limit: float = 3 * HANG_SECONDS) -> tuple[Ended, list[Event]]:
        """Run a command to its end, and return the file events at which it could have been killed."""
        strace = [f"--trace={','.join(EVENTS)}"]
        ended = self._run(["-c", STOPPED, f"tagger.{verb}", *words], limit=limit, strace=strace)
        return ended, events_of(self.trace.read_text(errors="replace"))

    @property
    def trace(self) -> Path:
        return self.beside / "trace.txt"

    def _run(
        self, words: Sequence[str], *, limit: float, is_kill: bool = False, strace: Sequence[str] | None = None
    ) -> Ended:
        said = self.beside / "output.txt"
        started = time.monotonic()
        with said.open("wb") as output:
            process = commands.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                forks_all=False,
            )
            tracer = attached(process.pid, self.trace, strace) if strace is not None else None
            hung = False
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                hung = not is_kill
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            seconds = time.monotonic() - started
            outlived = not gone(process.pid, HANG_SECONDS)
            if outlived:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            if tracer is not None:
                tracer.wait()
        text = said.read_text(errors="replace")
        return Ended(process.returncode, text, seconds, hung=hung or outlived)


def attached(pid: int, trace: Path, settings: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Have strace follow a process that has stopped itself, and let it go on."""
    while state(pid) != "T":
        time.sleep(0.002)
    options = ["--follow-forks", "--quiet=attach,exit", "--decode-fds=path", f"--output={trace}", *settings]
    tracer = subprocess.Popen(["strace", *options, f"--attach={pid}"], stderr=subprocess.DEVNULL)
    while tracer.poll() is None and "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        time.sleep(0.002)
    os.kill(pid, signal.SIGCONT)
    return tracer


def state(pid: int) -> str:
    """Return the letter of a process's state; "X" if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def gone(group: int, seconds: float) -> bool:
    """Wait until no process of a group is alive, at most so long."""
    deadline = time.monotonic() + seconds
    while members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def members(group: int) -> list[int]:
    """Return the living processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            letter, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_group) == group and letter not in "ZX":
                found.append(int(stat.parent.name))
    return found


CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")

NO_FILE = re.compile(r"^\d+<(pipe|socket|anon_inode|/dev/|[^>]*/output\.txt)")
"""What is written to, but is no file of the user's."""


def events_of(trace: str) -> list[Event]:
    """Return the events of a trace, with how many of their kind their thread had made before."""
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for line in trace.splitlines():
        if match := CALL.match(line):
            thread, call, what = match.groups()
            counts[thread, call] += 1
            if not NO_FILE.match(what):
                found.append(Event(call, counts[thread, call], what))
    return found
