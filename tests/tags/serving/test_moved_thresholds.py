"""What is copied from the page is what the command understands."""

import shlex

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import as_typed
from tagger.predict import as_thresholds
from tagger.tags.serving.export import as_yaml, own_thresholds

plain = st.from_regex(r"[A-Za-z][A-Za-z0-9_.\-]{0,20}", fullmatch=True)
reserved = st.sampled_from(
    ["true", "NULL", "no", "id card", "it's", "1st", "猫", "a:b", 'say "no"', "a\\b", "{x}", "$HOME"]
)
words = {"true", "false", "null", "nan", "inf", "yes", "no", "on", "off", "y", "n"}


def moved(ids: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, float]]:
    return st.dictionaries(ids, st.integers(0, 20000).map(lambda number: number / 10000), min_size=1, max_size=5)


@given(moved=moved(plain.filter(lambda id_: id_.lower() not in words)))
def test_a_shell_and_hydra_read_the_setting_as_it_was_meant(moved: dict[str, float]):
    (word,) = shlex.split(own_thresholds(moved))
    (override,) = OverridesParser.create().parse_overrides([word])
    assert override.key_or_group == "own_thresholds"
    assert override.value() == moved


@given(moved=moved(plain | reserved | st.text(max_size=5)))
def test_the_command_takes_the_setting_of_any_label(moved: dict[str, float]):
    (word,) = as_typed(shlex.split(own_thresholds(moved)))
    (override,) = OverridesParser.create().parse_overrides([word])
    assert as_thresholds(override.value()) == moved


@given(moved=moved(plain | reserved | st.text(max_size=5)))
def test_yaml_is_read_as_it_was_meant(moved: dict[str, float]):
    assert yaml.safe_load(as_yaml(moved)) == {"thresholds": moved}


def test_nothing_moved_is_nothing_to_copy():
    assert own_thresholds({}) == as_yaml({}) == ""
