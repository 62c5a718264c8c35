"""Trials survive whatever happens to the process that tries them."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tagger.errors import UserError
from tagger.studies.search.judging import Judged
from tagger.studies.search.record import RETRIES, OtherSearchError, Record
from tagger.studies.search.searching import Search
from tagger.studies.search.trainings import Trainings

SCORE = Judged(0.5, epoch=3, seconds=1.0)


@pytest.fixture
def record(tmp_path: Path) -> Callable[[], Record]:
    return lambda: Record(tmp_path / "folder" / "trials.db", "found", seed=0, startup=4)


def choices(record: Record, *states: TrialState) -> list[dict[str, object]]:
    return [json.loads(trial.user_attrs["choice"]) for trial in record.trials(*states)]


def test_a_trial_of_a_process_that_is_no_more_is_failed_and_tried_again(record, trainings):
    space = trainings().space
    # Its lock is not held: as if the process had been killed.
    _, choice = record().begin(space)
    after = record()
    with after.attended():
        (cut,) = after.trials(TrialState.FAIL)
        assert cut.user_attrs["cut"] and "its process ended" in cut.user_attrs["reason"]
        again, same = after.begin(space)
        assert same == choice
        after.finish(again, SCORE)
    assert choices(after, TrialState.COMPLETE) == [choice]


def test_a_trial_of_a_living_process_is_left_alone(record, trainings):
    one, other = record(), record()
    with one.attended():
        one.begin(trainings().space)
        with other.attended():
            assert [trial.state for trial in other.trials()] == [TrialState.RUNNING]
            assert other.others() == 1
            assert one.others() == 0


def test_a_choice_that_always_ends_its_process_is_not_tried_for_ever(record, trainings):
    space, seen = trainings().space, []
    for _ in range(RETRIES + 2):
        killed = record()
        killed.take_up_cut()
        seen.append(killed.begin(space)[1])
    assert seen[: RETRIES + 1] == [seen[0]] * (RETRIES + 1)
    assert seen[-1] != seen[0]


def test_a_search_that_was_stopped_in_a_trial_tries_it_again_however_often(record, trainings):
    space, seen = trainings().space, []
    for _ in range(RETRIES + 3):
        stopped = record()
        with stopped.attended():
            trial, choice = stopped.begin(space)
            stopped.give_up(trial)
        seen.append(choice)
    assert seen == [seen[0]] * (RETRIES + 3)


def test_what_is_proposed_does_not_depend_on_how_often_the_search_was_cut(tmp_path, trainings):
    space = trainings().space

    def proposals(name: str, *, calls: int) -> list[dict[str, object]]:
        for _ in range(calls):
            part = Record(tmp_path / f"{name}.db", name, seed=0, startup=2)
            for _ in range(6 // calls):
                trial, choice = part.begin(space)
                part.finish(trial, Judged(choice["optimizer.lr"], 1, 1.0))
        return choices(part)

    whole = proposals("whole", calls=1)
    assert whole == proposals("parts", calls=3)
    assert len({json.dumps(choice) for choice in whole}) == 6, "and the first draws do not come again"


def test_another_search_in_the_same_file_is_refused_with_what_differs_and_the_way_out(record):
    record().belongs(space=["loss: bce"], data=["catalog abc"])
    record().belongs(space=["loss: bce"], data=["catalog abc"])
    with pytest.raises(OtherSearchError, match=r"another data: catalog abc there, catalog xyz here\. Give .*name=…"):
        record().belongs(space=["loss: bce"], data=["catalog xyz"])


def test_a_file_that_holds_no_trials_is_named(tmp_path):
    (tmp_path / "photo.db").write_bytes(b"\xff\xd8 not sqlite" * 100)
    with pytest.raises(UserError, match=r"photo\.db cannot be read.*storage=…"):
        Record(tmp_path / "photo.db", "found", seed=0, startup=4)


def test_settings_that_change_no_figure_do_not_make_another_search(trainings: Callable[..., Trainings]):
    assert trainings("logger=csv", "data.workers=0", "cache=x").settings() == trainings().settings()
    assert trainings("data.size=96").settings() != trainings().settings()


def test_two_records_take_turns(record, search: Callable[..., Search]):
    """What two processes do, in one: no trial is begun twice and none is lost."""
    one, other = record(), record()
    space = search().trainings.space
    with one.attended(), other.attended():
        for mine in (one, other, other, one):
            trial, _ = mine.begin(space)
            mine.finish(trial, SCORE)
    assert [trial.number for trial in one.trials()] == [0, 1, 2, 3]


def test_who_ends_while_another_writes_its_report_waits_and_concludes(record):
    one, other = record(), record()
    writing = threading.Event()

    def write() -> None:
        with one.concluding():
            writing.set()
            time.sleep(0.5)

    writer = threading.Thread(target=write)
    writer.start()
    writing.wait()
    with other.concluding() as is_ours:
        assert is_ours
    writer.join()


def test_a_search_that_is_being_confirmed_is_left_to_who_confirms(record, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.studies.search.record.PATIENCE", 0.1)
    with record().concluding() as is_ours, record().concluding() as is_theirs:
        assert (is_ours, is_theirs) == (True, False)
