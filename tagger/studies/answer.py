"""The answer of a study: its versions compared by the runs that finished."""

from collections.abc import Sequence
from pathlib import Path

from tagger.errors import UserError
from tagger.studies.comparison.comparison import Comparison, Settings
from tagger.studies.comparison.mlflow import log_comparison
from tagger.studies.comparison.report import compare_runs
from tagger.studies.comparison.verdict import headline, verdict
from tagger.studies.memory import recall
from tagger.studies.parent import open_parent
from tagger.studies.standing import Standing, by_version, left
from tagger.studies.study import Study
from tagger.tracking.run_folder import commit_of_code


def answer(
    study: Study,
    stands: Sequence[Standing],
    *,
    runs: Path,
    output: Path,
    command: str,
    settings: Settings | None = None,
    pictures: bool = False,
) -> Comparison:
    """Compare the versions of a study, write what came out, and log it to the study's run in MLflow if it has one.

    Args:
        study: What is asked.
        stands: What there is of its runs.
        runs: The folder of all runs.
        output: Folder to write to.
        command: What was typed to make it.
        settings: How it is made; None: as is usual.
        pictures: Whether the page shows photos.

    Raises:
        UserError: If no run of the baseline has finished, or the runs cannot be compared.
    """
    finished = {version: folders for version, folders in by_version(stands).items() if folders}
    if study.baseline not in finished:
        raise UserError(
            f"nothing to compare with: no run of the baseline {study.baseline} has finished; "
            f"python -m tagger.study study={study.name} makes them"
        )
    comparison = compare_runs(
        finished,
        baseline=study.baseline,
        output=output,
        question=study.question,
        command=command,
        commit=commit_of_code(),
        settings=settings,
        unfinished=left(stands),
        pictures=pictures,
    )
    if recall(study, runs, "mlflow_run_id") and (parent := open_parent(study, runs, stands[0].logger(), {})):
        log_comparison(parent.client, parent.run_id, comparison, folder=output)
    return comparison


def spoken(comparison: Comparison, output: Path) -> list[str]:
    """Return the answer as lines for the terminal."""
    verdicts = [f"- {verdict(comparison, version)}." for version in comparison.challengers]
    return [headline(comparison), *verdicts, f"written  {output}/README.md and report.html"]
