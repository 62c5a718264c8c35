"""A space says what each setting may be, and when; what makes no sense is named with its file."""

import re
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution

from tagger.errors import UserError
from tagger.studies.search.space import SPACES, Parameter, Space, read_space, rounded


@pytest.fixture
def space(tmp_path: Path) -> Callable[[str], Space]:
    def make(text: str) -> Space:
        (tmp_path / "mine.yaml").write_text(text)
        return read_space(str(tmp_path / "mine.yaml"))

    return make


HEAD = """
optimizer.lr: {low: 1e-4, high: 1e-2, log: true}
loss: {choices: [bce, focal, asymmetric]}
loss.gamma: {low: 0.5, high: 3.0, when: {loss: [focal]}}
data.batch_size: {low: 32, high: 128, step: 32}
"""


def first_of(parameter: Parameter) -> object:
    return parameter.ends()[0]


def test_a_setting_counts_only_beside_what_it_belongs_to(space: Callable[[str], Space]):
    head = space(HEAD)
    values = {"optimizer.lr": 0.001, "loss": "bce", "loss.gamma": 2.0, "data.batch_size": 64}
    assert "loss.gamma" not in head.chosen(lambda parameter: values[parameter.key])
    values["loss"] = "focal"
    assert head.chosen(lambda parameter: values[parameter.key]) == values


def test_whole_numbers_stay_whole_and_an_exponent_is_a_number(space: Callable[[str], Space]):
    rate, _, _, size = (parameter.distribution for parameter in space(HEAD).parameters)
    assert rate == FloatDistribution(1e-4, 1e-2, log=True)
    assert size == IntDistribution(32, 128, step=32)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("optimizer.lr: 3", "optimizer.lr: expected {choices"),
        ("optimizer.lr: {low: 1}", "optimizer.lr: high must be a number, got None"),
        ("optimizer.lr: {low: 2, high: 1}", "optimizer.lr: low must be below high, got 2 and 1"),
        ("optimizer.lr: {low: 0, high: 1, log: true}", "optimizer.lr: low must be above 0"),
        ("optimizer.lr: {low: 1, hihg: 2}", "optimizer.lr: 'hihg' is none of .*did you mean high"),
        ("optimizer.lr: {low: 1, high: 2, log: true, step: 1}", "optimizer.lr: log and step exclude each other"),
        ("optimizer.lr: {low: 0.0, high: 1.0, step: 0.3}", "optimizer.lr: steps of 0.3 from 0.0 do not end at 1.0"),
        ("optimizer.lr: {low: a, high: 2}", "optimizer.lr: low must be a number, got 'a'"),
        ("loss: {choices: []}", r"loss: choices must be a list of values, got \[\]"),
        ("loss: {choices: [bce, bce]}", "loss: choices holds a value twice"),
        ("loss: {choices: [[bce]]}", "loss: a choice must be a word"),
        ("loss: {choices: [bce], low: 3}", "loss: choices stand alone, without low"),
        ("loss.gamma: {low: 1, high: 2, when: {loss: focal}}", "loss.gamma: when: loss is not a parameter above"),
        (
            "loss: {choices: [bce]}\nloss.gamma: {low: 1, high: 2, when: {loss: fokal}}",
            "loss.gamma: when: loss can never be 'fokal'",
        ),
        ("", "a space lists settings by key"),
        ("[1, 2]", "it holds no mapping of settings"),
        ("loss: {", "cannot be read"),
    ],
)
def test_a_mistake_is_named_with_file_parameter_and_value(space: Callable[[str], Space], text: str, named: str):
    with pytest.raises(UserError, match=named) as caught:
        space(text)
    assert "mine.yaml" in str(caught.value)


def test_a_space_that_is_not_there_is_told_from_those_that_are():
    with pytest.raises(UserError, match=r"space=heat: there is no .*; conf/space has backbone, head"):
        read_space("heat")


def test_a_word_of_the_command_fixes_what_it_names(space: Callable[[str], Space]):
    head = space(HEAD).fixed_by(["loss=focal", "data=corel5k"])
    assert head.fixed == {"loss": "focal"}
    assert head.chosen(first_of)["loss"] == "focal"
    assert "loss.gamma" in head.chosen(first_of), "what belongs to the fixed loss is still searched"


def test_a_fixed_setting_that_does_not_count_is_left_out(space: Callable[[str], Space]):
    head = space(HEAD).fixed_by(["loss.gamma=2"])
    assert "loss.gamma" not in head.chosen(first_of), "the first loss has no gamma"


def test_several_values_in_a_word_are_no_space(space: Callable[[str], Space]):
    with pytest.raises(UserError, match="loss=bce,focal: a search takes one value a word"):
        space(HEAD).fixed_by(["loss=bce,focal"])


@given(value=st.floats(1e-9, 1e9))
def test_three_digits_are_what_a_person_reads_and_rounding_again_changes_nothing(value: float):
    assert rounded(value) == pytest.approx(value, rel=0.005)
    assert rounded(rounded(value)) == rounded(value)
    assert len(re.sub(r"e.*|[.-]|^0+", "", f"{rounded(value):.10e}").rstrip("0")) <= 3


@given(seed=st.integers(0, 2**31))
def test_whatever_is_suggested_lies_in_the_space(seed: int):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    head = read_space("head")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    chosen = head.chosen(lambda parameter: parameter.suggest(trial))
    by_key = {parameter.key: parameter for parameter in head.parameters}
    for key, value in chosen.items():
        assert by_key[key].holds(value) or isinstance(value, float)
        assert by_key[key].applies(chosen)
        if isinstance(value, float):
            low, high = by_key[key].ends()
            assert low * 0.99 <= value <= high * 1.01


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_space_begins_with_what_it_is_for_and_its_command(path: Path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert any(f"python -m tagger.search space={path.stem} " in line for line in lines)
    assert read_space(path.stem).parameters
