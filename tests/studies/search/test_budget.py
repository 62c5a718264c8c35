"""A budget is a number of trials or a time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import UserError
from tagger.studies.search.budget import Budget, parse_budget


@pytest.mark.parametrize("text", ["0", "-3", "2.5", "h", "", "2 weeks", "1e3", "0h", "40 trial s", None, True, [1]])
def test_what_is_no_budget_is_refused_as_it_was_typed(text: object):
    with pytest.raises(UserError, match=re.escape(f"budget={text} is neither")):
        parse_budget(text)


@given(trials=st.integers(1, 10_000))
def test_a_number_means_trials_however_it_is_written(trials: int):
    assert (
        parse_budget(trials) == parse_budget(f"{trials} trials") == parse_budget(str(trials)) == Budget(trials=trials)
    )


@given(minutes=st.integers(1, 10_000))
def test_a_time_means_the_same_in_every_unit(minutes: int):
    assert parse_budget(f"{minutes}min") == parse_budget(f"{60 * minutes}s") == Budget(seconds=60.0 * minutes)


def test_a_time_does_not_count_trials_and_trials_take_their_time():
    assert Budget(seconds=10).is_left(trials=1000, seconds=9.9)
    assert not Budget(seconds=10).is_left(trials=0, seconds=10.0)
    assert Budget(trials=3).is_left(trials=2, seconds=1e9)
    assert not Budget(trials=3).is_left(trials=3, seconds=0.0)
