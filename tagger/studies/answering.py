"""The answer of a study: its finished runs, compared, on paper and in the MLflow run that holds them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tagger.studies.memory import recall, remember
from tagger.studies.standing import Standing, by_version, left
from tagger.studies.study import Study
from tagger.tracking.run_folder import commit_of_code


def answer(
    study: Study, stands: Sequence[Standing], *, runs: Path, output: Path, command: str, console: Console
) -> None:
    """Compare the versions by their finished runs, unless these very runs have been compared already.

    Args:
        study: What is asked.
        stands: What is there of its runs.
        runs: The folder of all runs.
        output: Folder to write to.
        command: What was typed.
        console: Where the answer is said in words.

    Raises:
        UserError: If the runs cannot be compared.
    """
    finished, missing = by_version(stands), left(stands)
    compared = {
        "runs": {version: [str(run) for run in folders] for version, folders in finished.items()},
        "missing": [asdict(one) for one in missing],
        "output": str(output),
    }
    # As it comes back from the file.
    if recall(study, runs, "compared") != json.loads(json.dumps(compared)) or not (output / "README.md").is_file():
        there = {version: folders for version, folders in finished.items() if folders}
        if study.baseline not in there or len(there) < 2:
            console.print("nothing to compare yet: that takes a run of the baseline and one of another version")
            return
        _compare(study, stands, runs=runs, output=output, command=command, console=console)
        remember(study, runs, compared=compared)
    console.print(f"compared  {output / 'README.md'} and report.html", soft_wrap=True)


def _compare(
    study: Study, stands: Sequence[Standing], *, runs: Path, output: Path, command: str, console: Console
) -> None:
    # Seconds of importing, which a study that has been compared need not wait for.
    from tagger.studies.comparison.mlflow import log_comparison
    from tagger.studies.comparison.report import compare_runs
    from tagger.studies.comparison.verdict import headline, verdict
    from tagger.studies.parent import open_parent

    comparison = compare_runs(
        {version: folders for version, folders in by_version(stands).items() if folders},
        baseline=study.baseline,
        output=output,
        question=study.question,
        command=command,
        commit=commit_of_code(),
        unfinished=left(stands),
    )
    if parent := open_parent(study, runs):
        log_comparison(parent.client, parent.run_id, comparison, folder=output)
    console.print(headline(comparison), markup=False)
    for version in comparison.challengers:
        console.print(f"- {verdict(comparison, version)}.", markup=False, soft_wrap=True)
