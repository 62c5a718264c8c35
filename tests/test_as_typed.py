"""Whatever a file system allows as a name can be typed as documented."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import as_typed

NAMES = [
    "2019",
    "2019_05",
    "1e3",
    "nan",
    "true",
    "Été 2019 (1)",
    "海边",
    "a,b",
    "it's",
    "[x]",
    "{a: 1}",
    "a=b",
    "#recycle",
    "\\t",
]
SETTINGS = [
    "data.root",
    "data.source.folder",
    "data.taxonomy",
    "+data.catalog",
    "data.sources.coco.root",
    "show",
    "bundle",
]

names = st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=("Cs",)), min_size=1)


def value_of(word: str) -> object:
    (typed,) = as_typed([word])
    (override,) = OverridesParser.create().parse_overrides([typed])
    return override.value()


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_arrives_as_it_was_typed(setting: str, name: str):
    assert value_of(f"{setting}={name}") == name


@given(names)
def test_a_path_with_any_name_in_it_arrives_as_it_was_typed(name: str):
    assert value_of(f"data.source.folder=./{name}") == f"./{name}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("photos=[a,b]", ["a", "b"]),
        ("runs={keep: runs/a/*}", {"keep": "runs/a/*"}),
        ("data.root=null", None),
        ("bundle='my album'", "my album"),
        ("seed=1", 1),
    ],
)
def test_lists_null_and_quotes_mean_what_they_meant(word: str, value: object):
    assert value_of(word) == value


def test_choices_of_a_multirun_stay_choices():
    assert as_typed(["-m", "data.source.folder=2018,2019", "data.root=2019"]) == [
        "-m",
        "data.source.folder=2018,2019",
        "data.root='2019'",
    ]


def test_a_text_that_is_not_in_hydras_grammar_is_a_text_wherever_it_stands():
    assert value_of("version=v2 (final)") == "v2 (final)"
