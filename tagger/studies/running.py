"""Run one job of a study: once at a time, as a process of its own, and never again when it has finished."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tagger.studies.attempt import CUT, FAILED, FINISHED, HUNG, Attempt, last_attempt, why
from tagger.studies.composing import composing
from tagger.studies.job import Job, map_on_test
from tagger.studies.lock import alone
from tagger.studies.process import Ended, run_limited
from tagger.tracking.run_folder import commit_of_code

Say = Callable[[str], None]


def run_job(job: Job, *, minutes: float, stop_seconds: float, parent: str | None, say: Say) -> None:
    """Train what the job asks for, or go on where it was cut; what became of it is kept in ``attempt.json``.

    Args:
        job: What is asked.
        minutes: How long it may take; then it is stopped and called hung.
        stop_seconds: How long it may take to stop.
        parent: MLflow run that it belongs to.
        say: Told when it starts and when it ends.

    Raises:
        KeyboardInterrupt: If Ctrl-C was pressed; the job has been stopped.
    """
    name = f"{job.version} seed {job.seed}"
    job.own.mkdir(parents=True, exist_ok=True)
    with alone(job.own, stop_seconds) as lock:
        if lock is None:
            say(f"{name}  is being run by another process")
            return
        with composing():
            settings = job.settings()
        measured = job.finished_run(settings)
        # One that is measured is gone on with only to tell the logger.
        if measured is not None and measured != job.open_run(settings):
            return
        words = [*job.words, *([f"parent={parent}"] if parent else [])]
        resumed = measured is not None or _is_resumed(job, settings)
        words += ["resume=true"] if resumed else []
        say(f"{name}  {'goes on' if resumed else 'starts'}  {job.own / 'output.log'}")
        attempt = Attempt(tuple(words), commit_of_code(), datetime.now().astimezone().isoformat(timespec="seconds"))
        attempt.write(job.own)
        output = job.own / "output.log"
        with output.open("a", encoding="utf-8") as file:
            file.write(f"\n$ python -m tagger.train {shlex.join(words)}   # {attempt.started}\n")
        ended = run_limited(
            [sys.executable, "-m", "tagger.train", *words],
            output=output,
            seconds=60 * minutes,
            stop_seconds=stop_seconds,
            keep_open=lock,
        )
        attempt = _outcome(attempt, ended, run=job.finished_run(settings), output=output, minutes=minutes)
        attempt.write(job.own)
        say(f"{name}  {_told(attempt, job.finished_run(settings))}")
        if ended.was_interrupted:
            raise KeyboardInterrupt


def clock(seconds: float) -> str:
    """Return minutes and seconds.

    Example:
        >>> clock(61.6), clock(4000)
        ('1:02', '66:40')
    """
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def _is_resumed(job: Job, settings: str) -> bool:
    """Go on where the job was cut, unless that was tried and failed: then its checkpoint may be the reason."""
    if job.open_run(settings) is None:
        return False
    last = last_attempt(job.own)
    return last is None or last.state != FAILED or "resume=true" not in last.words


def _outcome(attempt: Attempt, ended: Ended, *, run: Path | None, output: Path, minutes: float) -> Attempt:
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()
    last_lines = tuple(lines[-20:])
    if run is not None:
        state, reason = FINISHED, ""
    elif ended.was_interrupted:
        state, reason = CUT, "stopped by hand"
    elif ended.was_late:
        state, reason = HUNG, f"took longer than {minutes:g} minutes; its last line: {why(last_lines)}"
    elif ended.exit_code < 0:
        state, reason = FAILED, f"ended by signal {-ended.exit_code}{' (memory?)' if ended.exit_code == -9 else ''}"
    elif ended.exit_code == 0:
        state, reason = FAILED, "ended without metrics.json"
    else:
        state, reason = FAILED, why(lines)
    return replace(
        attempt,
        state=state,
        exit_code=ended.exit_code,
        seconds=round(ended.seconds, 1),
        reason=reason,
        last_lines=last_lines,
    )


def _told(attempt: Attempt, run: Path | None) -> str:
    took = clock(attempt.seconds)
    if run is None:
        return f"{attempt.state} after {took}: {attempt.reason}"
    reached = map_on_test(run)
    return f"finished in {took}" + (f", test mAP {reached:.3f}" if reached is not None else "")
