"""The search's own words and those of training are told apart, and a misspelled one is named."""

import re
from dataclasses import fields

import pytest
from hydra import compose
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import SearchConfig, TrainConfig
from tagger.errors import UserError
from tagger.studies.search.trainings import as_word
from tagger.studies.search.words import as_hydra_takes, as_typed_before, divided, typed_value


def test_only_three_settings_are_both_the_searchs_and_trainings():
    both = {field.name for field in fields(SearchConfig)} & {field.name for field in fields(TrainConfig)}
    assert both == {"name", "version", "seed"}


@pytest.mark.parametrize(
    ("word", "near"),
    [("bugdet=2h", "budget"), ("spase=head", "space"), ("dta=corel5k", "data"), ("los.gamma=1", "loss")],
)
def test_a_word_that_is_of_neither_is_named_with_what_it_may_mean(word: str, near: str):
    with pytest.raises(UserError, match=rf"^{re.escape(word)} is neither .*did you mean {near}\?"):
        divided([word])


def test_where_files_of_the_user_lie_holds_for_both():
    assert divided(["hydra.searchpath=[file:///x]"]) == (["hydra.searchpath=[file:///x]"],) * 2


@pytest.mark.usefixtures("composing")
@pytest.mark.parametrize(
    "word", ["data=corel5k", "callbacks=[ema]", "data.root=My photos (2019)", "a='b, c'", "a={b: 1}"]
)
def test_words_of_training_arrive_as_they_were_typed(word: str):
    own, training = divided(["space=My spaces/a.yaml", "budget=40 trials", "+" + word])
    words = as_hydra_takes(own, training)
    config = compose("search", overrides=words)
    assert list(config.words) == ["+" + word]
    assert config.space.file == "My spaces/a.yaml"
    assert config.budget == "40 trials"
    assert as_typed_before(words)[:2] == own


@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab_ ',{}[]=\\$", min_size=1)
)
def test_a_value_becomes_a_word_that_means_the_value(value: object):
    if isinstance(value, str) and (value != value.strip() or value[:1] in "'\"[" or "${" in value):
        return  # as_typed leaves what looks quoted, and a choice is no interpolation
    assert typed_value(as_word("loss.alpha", value)) == value
