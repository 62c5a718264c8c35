"""Run what is missing of a study, then compare:   python -m tagger.study study=v1_v2   (--help says more)."""

import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import hydra
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from tagger.config import as_typed
from tagger.errors import UserError, shown_plainly
from tagger.studies.answering import answer
from tagger.studies.composing import composing
from tagger.studies.job import jobs_of
from tagger.studies.memory import recall, remember
from tagger.studies.running import run_job
from tagger.studies.status import JobStatus, job_statuses
from tagger.studies.status_table import status_table
from tagger.studies.study import Study, study_of
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import commit_of_code

HELP = {"--help", "-h"}
"""Words that ask what to type, by one who cannot name a study yet."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="study")
def run_one(config: DictConfig) -> None:
    """Run one job of the study: what the launchers of Hydra's multirun call, here or on another machine."""
    study = study_of(config.study, HydraConfig.get().runtime.choices["study"])
    if config.job is None:
        raise UserError("job is filled in by python -m tagger.study; give it study=… alone, without --multirun")
    console = Console(highlight=False, soft_wrap=True)
    run_job(
        jobs_of(study, Path(config.runs).expanduser())[config.job],
        minutes=study.minutes,
        stop_seconds=config.stop_seconds,
        parent=config.parent,
        say=lambda line: console.print(line, markup=False),
    )


def main() -> None:
    """Work out what is missing, run it as a multirun, compare; exit with 1 if something is still missing."""
    words = sys.argv[1:]
    config = None if any(word.startswith("-") for word in words) else composed_or_none(words)
    if config is None:
        # --help and the like, or a mistake: Hydra says what is wrong.
        if HELP.intersection(words) and not any(word.startswith("study=") for word in words):
            # Hydra composes before it helps, and ends in a traceback where a study is missing; the text is that of all.
            sys.argv.append("study=v1_v2")
        run_one()
        return
    quieten()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        with shown_plainly():
            is_finished = conduct(config, words)
    except KeyboardInterrupt:
        print(f"\nstopped; the same command goes on from there: {command(words)}", file=sys.stderr)
        raise SystemExit(130) from None
    raise SystemExit(0 if is_finished else 1)


def conduct(config: DictConfig, words: Sequence[str]) -> bool:
    """Run what is missing, compare, say how the study stands; False if something is missing at the end."""
    study, runs = study_of(config.study, config.hydra.runtime.choices["study"]), Path(config.runs).expanduser()
    console = Console(highlight=False)
    console.print(f"{study.name}  {study.question}", markup=False, soft_wrap=True)
    statuses = job_statuses(study, runs)
    if missing := [one for one in statuses if not one.is_done]:
        console.print(f"{len(missing)} of {len(statuses)} runs are missing")
        statuses = train(study, runs, missing, words)
    elif recall(study, runs, "mlflow_status") not in (None, "FINISHED"):
        # Killed after its last run.
        close(study, runs, "FINISHED")
    console.print(status_table(statuses))
    if config.output is not None:
        output = answer_folder(config, study, runs, words)
        answer(study, statuses, runs=runs, output=output, command=command(words), console=console)
    return all(one.is_done for one in statuses)


def answer_folder(config: DictConfig, study: Study, runs: Path, words: Sequence[str]) -> Path:
    """Return where the answer goes: that of a study which words change does not replace the answer of the file's."""
    is_changed = any(word.lstrip("+~").startswith("study.") for word in words)
    if is_changed and not any(word.startswith("output=") for word in words):
        return study.folder(runs) / "answer"
    return Path(config.output).expanduser() / study.name


def train(study: Study, runs: Path, missing: Sequence[JobStatus], words: Sequence[str]) -> list[JobStatus]:
    """Run the missing jobs below one run in MLflow, and return how the study stands then."""
    parent = begin(study, runs, words)
    status = "KILLED"
    try:
        numbers = ",".join(str(one.job.number) for one in missing)
        # Hydra would make a folder called "~".
        words = [*words, *as_typed([f"runs={runs}"], "runs")]
        launch([*words, *([f"parent={parent}"] if parent else []), f"job={numbers}"])
        statuses = job_statuses(study, runs)
        status = "FINISHED" if all(one.is_done for one in statuses) else "FAILED"
    finally:
        if parent:
            close(study, runs, status)
    return statuses


def launch(words: Sequence[str]) -> None:
    """Run jobs as Hydra's own multirun; whether they finished is seen by what they leave."""
    sys.argv[1:] = ["--multirun", *words]
    # How Hydra ends when the launcher or a job raised; it has printed so, and what has become of the others counts.
    with suppress(SystemExit):
        run_one()


def begin(study: Study, runs: Path, words: Sequence[str]) -> str | None:
    """Say in MLflow that the study is under way, and return the id of its run; None if its runs go elsewhere."""
    # Seconds of importing, which a study that is finished need not wait for.
    from tagger.studies.parent import open_parent

    parent = open_parent(study, runs, {"command": command(words), "commit": commit_of_code()})
    if parent is None:
        return None
    parent.begin()
    remember(study, runs, mlflow_status="RUNNING")
    return parent.run_id


def close(study: Study, runs: Path, status: str) -> None:
    """Say in MLflow how the study stands; should it not answer, the next call of the command does so."""
    from tagger.studies.parent import open_parent
    from tagger.tracking.server import TrackingError

    try:
        if parent := open_parent(study, runs):
            parent.end(status)
            remember(study, runs, mlflow_status=status)
    except TrackingError as error:
        print(error, file=sys.stderr)


def composed_or_none(words: Sequence[str]) -> DictConfig | None:
    """Return the configuration of the command with Hydra's own part, or None if the words do not compose."""
    try:
        with composing():
            return compose("study", overrides=list(words), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException):
        return None


def command(words: Sequence[str]) -> str:
    """Return the command as it is typed."""
    return shlex.join(["python", "-m", "tagger.study", *words])


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
