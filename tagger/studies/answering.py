"""The answer of a study: its finished runs, compared, on paper and in the MLflow run that holds them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tagger.errors import UserError
from tagger.studies.memory import recall, remember
from tagger.studies.status import JobStatus, by_version, left
from tagger.studies.study import Study
from tagger.tracking.run_folder import commit_of_code

if TYPE_CHECKING:
    from tagger.studies.comparison.comparison import Comparison, Settings

NOTHING = "nothing to compare yet: that takes a finished run of the baseline and one of another version"


def answer(
    study: Study, statuses: Sequence[JobStatus], *, runs: Path, output: Path, command: str, console: Console
) -> None:
    """Compare the versions by their finished runs, unless these very runs have been compared already for this question.

    Args:
        study: What is asked.
        statuses: What is there of its runs.
        runs: The folder of all runs.
        output: Folder to write to.
        command: What was typed.
        console: Where the answer is printed.

    Raises:
        UserError: If the runs cannot be compared.
    """
    finished, missing = by_version(statuses), left(statuses)
    these = {
        "question": study.question,
        "baseline": study.baseline,
        "runs": {version: [str(run) for run in folders] for version, folders in finished.items()},
        "missing": [asdict(one) for one in missing],
        "output": str(output),
    }
    # As it comes back from the file.
    if recall(study, runs, "compared") != json.loads(json.dumps(these)) or not (output / "README.md").is_file():
        if not _is_comparable(study, {version: folders for version, folders in finished.items() if folders}):
            console.print(NOTHING)
            return
        comparison = compared(study, statuses, runs=runs, output=output, command=command)
        console.print(*spoken(comparison), sep="\n", markup=False, soft_wrap=True)
        remember(study, runs, compared=these)
    console.print(f"compared  {output / 'README.md'} and report.html", soft_wrap=True)


def compared(
    study: Study,
    statuses: Sequence[JobStatus],
    *,
    runs: Path,
    output: Path,
    command: str,
    settings: "Settings | None" = None,
    pictures: bool = False,
) -> "Comparison":
    """Compare the versions of a study, write what came out, and log it to the run that holds its runs.

    Args:
        study: What is asked.
        statuses: What is there of its runs.
        runs: The folder of all runs.
        output: Folder to write to.
        command: What was typed.
        settings: How it is made; None: as is usual.
        pictures: Whether the page shows photos.

    Raises:
        UserError: If no run of the baseline or none of another version has finished, or they cannot be compared.
    """
    # Seconds of importing, which a study that has been compared need not wait for.
    from tagger.studies.comparison.mlflow import log_comparison
    from tagger.studies.comparison.report import compare_runs
    from tagger.studies.parent import open_parent

    finished = {version: folders for version, folders in by_version(statuses).items() if folders}
    if not _is_comparable(study, finished):
        raise UserError(f"{NOTHING}; python -m tagger.study study={study.name} makes them")
    comparison = compare_runs(
        finished,
        baseline=study.baseline,
        output=output,
        question=study.question,
        command=command,
        commit=commit_of_code(),
        settings=settings,
        unfinished=left(statuses),
        pictures=pictures,
    )
    # Whoever only compares makes no run to hold those of others.
    if recall(study, runs, "mlflow_run_id") and (parent := open_parent(study, runs)):
        with parent.reached():
            log_comparison(parent.client, parent.run_id, comparison, folder=output)
    return comparison


def spoken(comparison: "Comparison") -> list[str]:
    """Return the answer as lines for the terminal."""
    from tagger.studies.comparison.table import left_out
    from tagger.studies.comparison.verdict import headline, verdict

    verdicts = (f"- {verdict(comparison, version)}." for version in comparison.challengers)
    return [headline(comparison), *verdicts, *left_out(comparison)]


def _is_comparable(study: Study, finished: Mapping[str, Sequence[Path]]) -> bool:
    return study.baseline in finished and len(finished) > 1
