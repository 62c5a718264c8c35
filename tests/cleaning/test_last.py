"""What is cleaned is typed once: later steps go on with the data set of the last one."""

from pathlib import Path

import pytest

from tagger.cleaning.last import LAST, as_last_time, remember


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_later_step_goes_on_with_the_data_set_of_the_last_one() -> None:
    remember(["step=score", "data=folder", "data.root=~/My photos", "minutes=5"])
    assert as_last_time(["step=queue", "budget=500"]) == ["data=folder", "data.root=~/My photos"]


def test_what_is_typed_and_what_scores_is_taken_as_it_is() -> None:
    remember(["data=album"])
    assert as_last_time(["step=queue", "data=sample"]) == []
    assert as_last_time(["step=queue", "folder=elsewhere"]) == []
    assert as_last_time(["step=score"]) == []
    assert as_last_time(["--help"]) == []


def test_without_a_last_time_or_with_a_damaged_one_there_is_none() -> None:
    assert as_last_time(["step=queue"]) == []
    LAST.parent.mkdir()
    for damaged in ("", "{", "7", "[1]", '["hydra.run.dir=/"]'):
        LAST.write_text(damaged)
        assert as_last_time(["step=queue"]) == []
