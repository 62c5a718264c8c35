"""When a study is compared again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from tagger.studies import answering
from tagger.studies.job import jobs_of
from tagger.studies.status import JobStatus
from tagger.studies.study import study_of

VERSIONS = {"v1.0": ["+experiment=baseline"], "v2.0": ["+experiment=resampling"]}


@pytest.mark.parametrize("change", [{"baseline": "v2.0"}, {"question": "Is it really?"}])
def test_runs_are_compared_once_for_each_question_and_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    asked = []

    def compared(study: Any, *_: Any, output: Path, **__: Any) -> None:
        asked.append((study.question, study.baseline))
        output.mkdir(exist_ok=True)
        (output / "README.md").touch()

    monkeypatch.setattr(answering, "compared", compared)
    monkeypatch.setattr(answering, "spoken", lambda comparison: [])
    tree = {"question": "Is it?", "baseline": "v1.0", "seeds": [0], "minutes": 1, "versions": VERSIONS}
    study = study_of(OmegaConf.create(tree), "mine")
    stands = [JobStatus(job, job.folder / "some" / "run", None) for job in jobs_of(study, tmp_path)]
    for one in (study, study, replace(study, **change), replace(study, **change)):
        answering.answer(one, stands, runs=tmp_path, output=tmp_path / "out", command="…", console=Console(quiet=True))
    other = replace(study, **change)
    assert asked == [("Is it?", "v1.0"), (other.question, other.baseline)]
