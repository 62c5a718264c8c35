"""How far a study is: which of its runs are there, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tagger.studies.attempt import CUT, FINISHED, RUNNING, Attempt, last_attempt
from tagger.studies.composing import composing
from tagger.studies.job import Job, jobs_of
from tagger.studies.lock import is_held
from tagger.studies.study import Study
from tagger.studies.unfinished import Unfinished

RUNS = Path("runs")

NOT_RUN = "not run"


@dataclass(frozen=True)
class JobStatus:
    """What is there of one job."""

    job: Job
    run: Path | None
    """Folder of the finished run that the study would make now, or None."""
    attempt: Attempt | None
    """The last attempt, if it was made with the words of now."""
    is_told: bool = True
    """Whether the logger has been given all of the run."""

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.run is not None and self.is_told

    @property
    def state(self) -> str:
        """``finished``, ``failed``, ``hung``, ``cut``, ``running`` (another process is at it) or ``not run``."""
        if self.run is not None:
            return FINISHED
        return NOT_RUN if self.attempt is None else self.attempt.state

    @property
    def reason(self) -> str:
        """One line that says why it has not finished, or nothing."""
        if not self.is_told:
            return "its logger lacks some of it; the same command sends that"
        return "" if self.run is not None or self.attempt is None else self.attempt.reason


def job_statuses(study: Study, runs: Path = RUNS) -> list[JobStatus]:
    """Look what is there of every job of a study.

    Raises:
        StudyError: If the words of a job do not compose.
    """
    jobs = jobs_of(study, runs)
    with composing():
        # Runs of one version differ in the seed alone; composing is what takes long.
        configs = {job.version: job.config() for job in jobs if job.seed == study.seeds[0]}
    return [_status(job, job.settings(configs[job.version])) for job in jobs]


def finished_runs(study: Study, runs: Path = RUNS) -> dict[str, list[Path]]:
    """Return the folders of the finished runs of every version, in the order of the seeds."""
    return by_version(job_statuses(study, runs))


def unfinished(study: Study, runs: Path = RUNS) -> list[Unfinished]:
    """Return the runs that a study asks for and that are not there, with the reason."""
    return left(job_statuses(study, runs))


def by_version(statuses: Sequence[JobStatus]) -> dict[str, list[Path]]:
    """Return the run folders of those that finished; a version without any has an empty list."""
    found: dict[str, list[Path]] = {one.job.version: [] for one in statuses}
    for one in statuses:
        if one.run is not None:
            found[one.job.version].append(one.run)
    return found


def left(statuses: Sequence[JobStatus]) -> list[Unfinished]:
    """Return those that did not finish, with the reason."""
    return [Unfinished(one.job.version, one.job.seed, one.state, one.reason) for one in statuses if one.run is None]


def _status(job: Job, settings: str) -> JobStatus:
    attempt = last_attempt(job.own)
    # An attempt with other words says nothing about these.
    if attempt is not None and attempt.words[: len(job.words)] != job.words:
        attempt = None
    if attempt is not None and attempt.state == RUNNING:
        state, reason = (RUNNING, "by another process") if is_held(job.own) else (CUT, "killed")
        attempt = replace(attempt, state=state, reason=reason)
    run = job.finished_run(settings)
    return JobStatus(job, run, attempt, is_told=run is None or run != job.open_run(settings))
