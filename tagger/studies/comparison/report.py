"""From folders of runs to a written comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tagger.studies.comparison.comparable import measured_on
from tagger.studies.comparison.comparison import Comparison, Settings, compare
from tagger.studies.comparison.runs import Run, read_runs
from tagger.studies.comparison.writing import write_comparison
from tagger.studies.places import without_places
from tagger.studies.unfinished import Unfinished


def compare_runs(
    runs: Mapping[str, Sequence[Path]],
    *,
    baseline: str,
    output: Path,
    command: str,
    commit: str,
    question: str | None = None,
    settings: Settings | None = None,
    unfinished: Sequence[Unfinished] = (),
    pictures: bool = False,
    annotations: str | None = None,
) -> Comparison:
    """Compare the runs of every version with those of the baseline, and write what came out.

    Args:
        runs: Folders of finished runs, one a seed, by version.
        baseline: One of the versions.
        output: Folder to write to.
        command: What was typed to make it.
        commit: Of the code that compares.
        question: What the study asks; the title.
        settings: How it is made; None: as is usual.
        unfinished: Runs that have no result, to be named.
        pictures: Whether the page shows photos.
        annotations: The version on whose test annotations all are measured, where a cleaning lies between them; None:
            they must be the same.

    Raises:
        UserError: If a run cannot be read or the runs cannot be compared; nothing is written then.
    """
    read: Mapping[str, Sequence[Run]] = read_runs(runs)
    if annotations is not None:
        read = measured_on(read, annotations=annotations)
    # What a run died of may name files of this machine.
    portable = [replace(run, reason=without_places(run.reason)) for run in unfinished]
    comparison = compare(
        read, baseline=baseline, question=question, settings=settings, unfinished=portable, annotations=annotations
    )
    write_comparison(output, comparison, read, command=command, commit=commit, pictures=pictures)
    return comparison
