"""What counts as done: folders as a training leaves them, without training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tagger.studies.attempt import FAILED, HUNG, RUNNING, Attempt, last_attempt
from tagger.studies.composing import composing
from tagger.studies.job import Job, jobs_of
from tagger.studies.lock import alone
from tagger.studies.status import finished_runs, job_statuses, unfinished
from tagger.studies.study import Study, study_of
from tagger.studies.unfinished import Unfinished
from tagger.tracking.run_folder import RunFolder

VERSIONS = {"v1.0": ["+experiment=baseline"], "v2.0": ["+experiment=resampling"]}


def study(*words: str) -> Study:
    tree = {"question": "Is it?", "baseline": "v1.0", "seeds": [0, 1], "minutes": 1, "versions": VERSIONS}
    return study_of(OmegaConf.create({**tree, "words": ["logger=csv", *words]}), "mine")


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """Leave the folder of a job's run as a training does."""

    def make(job: Job, *, stamp: str = "2026-01-01_00-00-00", finished: bool = True) -> Path:
        with composing():
            settings = job.settings()
        run = job.folder / "name" / f"{stamp}_s{job.seed}"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(settings)
        if finished:
            (run / "metrics.json").write_text('{"test/map": 0.5}')
        return run

    return make


def attempt(job: Job, **changes: object) -> None:
    job.own.mkdir(parents=True, exist_ok=True)
    replace(Attempt((*job.words, "parent=abc"), "c0ffee", "2026-01-01T00:00:00+00:00"), **changes).write(job.own)  # type: ignore[arg-type]


def test_a_run_that_another_process_is_at_was_not_killed(tmp_path: Path) -> None:
    job = jobs_of(study(), tmp_path)[0]
    attempt(job, state=RUNNING)
    with alone(job.own, 0.0):
        assert unfinished(study(), tmp_path)[0] == Unfinished("v1.0", 0, "running", "by another process")
    assert unfinished(study(), tmp_path)[0] == Unfinished("v1.0", 0, "cut", "killed")


def states(of: Study, runs: Path) -> dict[tuple[str, int], str]:
    return {(one.job.version, one.job.seed): one.state for one in job_statuses(of, runs)}


def test_runs_are_found_again_and_what_is_missing_is_told_with_its_reason(tmp_path: Path, leave) -> None:
    jobs = {(job.version, job.seed): job for job in jobs_of(study(), tmp_path)}
    first = leave(jobs["v1.0", 0])
    attempt(jobs["v1.0", 1], state=FAILED, reason="ValueError: no")
    attempt(jobs["v2.0", 0], state=HUNG, reason="took longer")
    attempt(jobs["v2.0", 1], state=RUNNING)
    assert finished_runs(study(), tmp_path) == {"v1.0": [first], "v2.0": []}
    assert [(one.version, one.seed, one.state, one.reason) for one in unfinished(study(), tmp_path)] == [
        ("v2.0", 0, "hung", "took longer"),
        ("v1.0", 1, "failed", "ValueError: no"),
        # Nobody wrote how it ended.
        ("v2.0", 1, "cut", "killed"),
    ]


def test_a_run_of_other_settings_is_none_of_the_study(tmp_path: Path, leave) -> None:
    job = jobs_of(study(), tmp_path)[0]
    leave(job)
    attempt(job, state=FAILED)
    assert states(study(), tmp_path)["v1.0", 0] == "finished"
    assert states(study("optimizer.lr=0.5"), tmp_path)["v1.0", 0] == "not run"
    assert states(study("loss=focal"), tmp_path)["v1.0", 0] == "not run"


def test_where_things_are_kept_changes_no_result(tmp_path: Path, leave) -> None:
    leave(jobs_of(study("data=voc2012"), tmp_path)[0])
    elsewhere = ["cache=/elsewhere", "checkpoint_minutes=1", "data.workers=0", "logger.save_dir=/elsewhere"]
    assert states(study("data=voc2012", *elsewhere), tmp_path)["v1.0", 0] == "finished"


def test_the_newest_finished_run_counts_and_a_cut_one_beside_it_does_not(tmp_path: Path, leave) -> None:
    job = jobs_of(study(), tmp_path)[0]
    leave(job, stamp="2026-01-01_00-00-00")
    newest = leave(job, stamp="2026-01-02_00-00-00")
    cut = leave(job, stamp="2026-01-03_00-00-00", finished=False)
    with composing():
        settings = job.settings()
    assert job.finished_run(settings) == newest
    assert job.open_run(settings) == cut


def test_a_run_that_its_logger_lacks_is_compared_and_not_done(tmp_path: Path, leave) -> None:
    job = jobs_of(study(), tmp_path)[0]
    run = RunFolder(leave(job), resumed=False)
    with composing():
        settings = job.settings()
    for delivered in (False, True):
        run.remember(delivered=delivered)
        stands = job_statuses(study(), tmp_path)[0]
        assert (stands.run, stands.state, stands.is_done) == (run.path, "finished", delivered)
        assert bool(stands.reason) is not delivered
        assert (job.open_run(settings) == run.path) is not delivered


def test_a_run_of_seed_1_is_none_of_seed_10(tmp_path: Path, leave) -> None:
    tree = {"question": "?", "baseline": "v1.0", "seeds": [1, 10], "minutes": 1, "versions": {"v1.0": ["logger=csv"]}}
    both = study_of(OmegaConf.create(tree), "mine")
    _, ten = jobs_of(both, tmp_path)
    run = leave(ten)
    assert finished_runs(both, tmp_path) == {"v1.0": [run]}
    assert states(both, tmp_path) == {("v1.0", 1): "not run", ("v1.0", 10): "finished"}


def test_an_attempt_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = Attempt(("seed=1",), "c0ffee", "now", FAILED, 1, 3.5, "ValueError: é森", ("a", "b"))
    kept.write(tmp_path)
    assert last_attempt(tmp_path) == kept
    assert last_attempt(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "text", ["", '{"words": ["seed=0"', '{"words": 3}', "[]", '{"words": [], "last_lines": [], "x": 1}']
)
def test_an_attempt_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "attempt.json").write_text(text)
    assert last_attempt(tmp_path) is None
