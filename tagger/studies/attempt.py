"""What became of the last attempt to run a job: ``attempt.json`` in the job's folder."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tagger.atomic import write_text

FINISHED, FAILED, HUNG, CUT, RUNNING = "finished", "failed", "hung", "cut", "running"

_SAYS_WHY = re.compile(r"(error|[\w.]*(Error|Exception|Exit)): ")


@dataclass(frozen=True)
class Attempt:
    """One attempt, under way or over."""

    words: tuple[str, ...]
    """All words of ``python -m tagger.train``."""
    commit: str
    started: str
    """Date and time with the zone."""
    state: str = RUNNING
    """``running``, ``finished``, ``failed``, ``hung`` or ``cut``. One that says ``running`` and is not was killed."""
    exit_code: int | None = None
    """Of the process; negative is the number of the signal that ended it."""
    seconds: float = 0.0
    reason: str = ""
    """One line that says why it did not finish."""
    last_lines: tuple[str, ...] = ()
    """Of its output."""

    def write(self, folder: Path) -> None:
        """Keep it as the last attempt."""
        write_text(folder / "attempt.json", json.dumps(asdict(self), indent=1, ensure_ascii=False))


def last_attempt(folder: Path) -> Attempt | None:
    """Return the last attempt of the job with this folder; None before the first, and of a file that says nothing."""
    try:
        record = json.loads((folder / "attempt.json").read_text(encoding="utf-8"))
        return Attempt(**record | {"words": tuple(record["words"]), "last_lines": tuple(record["last_lines"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        # Cut by a full disk, or of another release: the job is made again.
        return None


def why(lines: Sequence[str]) -> str:
    """Return the line of a failed command's output that says best what went wrong.

    Example:
        >>> why(["Traceback:", "  x = y", "ValueError: no y", "", "Set HYDRA_FULL_ERROR=1 for a complete trace."])
        'ValueError: no y'
        >>> why(["epoch 1/3", "Killed"])
        'Killed'
    """
    record = [line.strip() for line in lines if line.strip()]
    telling = [line for line in record if _SAYS_WHY.match(line)]
    return next(iter([*telling[-1:], *record[-1:]]), "")
