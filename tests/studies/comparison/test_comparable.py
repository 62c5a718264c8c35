"""What cannot be compared is refused, and what differs is named."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tagger.errors import UserError
from tagger.studies.comparison.comparable import check_comparable, measured_on
from tagger.studies.comparison.runs import Run

Made = Callable[..., Run]
SCORES, STATES = np.full((3, 2), 0.5), [[1, -1], [-1, 1], [0, 1]]


@pytest.fixture
def pair(made_run: Made) -> Callable[..., dict[str, list[Run]]]:
    """Make two versions of which the second is changed."""

    def make(**changes: Any) -> dict[str, list[Run]]:
        one = made_run(SCORES, STATES)
        return {"v1.0": [one], "v2.0": [replace(one, version="v2.0", **changes)]}

    return make


def test_runs_on_the_same_photos_are_compared(pair: Callable[..., dict[str, list[Run]]]):
    check_comparable(pair(), baseline="v1.0")


def test_a_baseline_that_is_not_there_is_named(pair: Callable[..., dict[str, list[Run]]]):
    with pytest.raises(UserError, match=re.escape("baseline=v3.0 is none of the versions v1.0, v2.0")):
        check_comparable(pair(), baseline="v3.0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"photos": np.array(["images/0000.jpg", "images/0001.jpg", "images/9.jpg"])},
            "test photos differ (3 and 3; only in the first: images/0002.jpg; only in the second: images/9.jpg)",
        ),
        ({"photos": np.array([f"images/{n:04}.jpg" for n in (0, 2, 1)])}, "the same in another order"),
        ({"states": np.array([[1, -1], [1, 1], [0, 1]], np.int8)}, "annotations of 1 test photos differ, first of"),
    ],
)
def test_other_photos_are_refused(pair: Callable[..., dict[str, list[Run]]], changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        check_comparable(pair(**changes), baseline="v1.0")
    assert "v1.0 seed 0 (runs/v1.0/0) and v2.0 seed 0" in str(caught.value)


@pytest.mark.parametrize("name", ["data_fingerprint", "taxonomy_fingerprint"])
def test_other_fingerprints_are_refused(made_run: Made, name: str):
    one, other = made_run(SCORES, STATES), made_run(SCORES, STATES, version="v2.0")
    other = replace(other, facts={**other.facts, name: "0" * 16})
    with pytest.raises(UserError, match=f"their {name.replace('_', ' ')}s differ .*0000000000000000"):
        check_comparable({"v1.0": [one], "v2.0": [other]}, baseline="v1.0")


def test_other_labels_are_refused(made_run: Made):
    one, other = made_run(SCORES, STATES), made_run(SCORES, STATES, version="v2.0")
    other = replace(other, labels=(other.labels[0], replace(other.labels[1], id="fox")))
    with pytest.raises(
        UserError, match=re.escape("labels differ (only in the first: label1; only in the second: fox)")
    ):
        check_comparable({"v1.0": [one], "v2.0": [other]}, baseline="v1.0")


def test_the_runs_of_a_version_may_differ_in_their_seed_and_where_they_ran(made_run: Made):
    one = made_run(SCORES, STATES, config={"seed": 0, "loss": {"gamma": 2.0}, "data": {"root": "/a", "workers": 2}})
    other = made_run(SCORES, STATES, seed=1, config={"seed": 1, "loss": {"gamma": 2.0}, "data": {"root": "/b"}})
    check_comparable({"v1.0": [one, other]}, baseline="v1.0")


@pytest.mark.parametrize("name", ["loss.gamma", "head.groups", "experts.cost", "mixup", "trainer.max_epochs"])
def test_any_other_setting_in_which_the_runs_of_a_version_differ_is_named(made_run: Made, name: str):
    group, _, setting = name.partition(".")
    one, other = (
        made_run(SCORES, STATES, seed=seed, config={"seed": seed, group: {setting: value} if setting else value})
        for seed, value in ((0, 2.0), (1, 3.0))
    )
    with pytest.raises(UserError, match=re.escape(f"{name} is 2.0 in runs/v1.0/0 and 3.0 in runs/v1.0/1")):
        check_comparable({"v1.0": [one, other]}, baseline="v1.0")


def test_after_a_cleaning_all_are_measured_on_the_mended_annotations(made_run: Made):
    before = made_run(SCORES, STATES)
    mended = np.array([[1, -1], [1, 1], [0, 1]], np.int8)
    facts = {**before.facts, "data_fingerprint": "m" * 16}
    cleaned = replace(before, version="cleaned", states=mended, facts=facts)
    found = measured_on({"before": [before], "cleaned": [cleaned]}, annotations="cleaned")
    assert (found["before"][0].states == mended).all()
    assert (found["before"][0].scores == before.scores).all()
    check_comparable(found, baseline="before")
    with pytest.raises(UserError, match="annotations=cleaned measures both on its annotations"):
        check_comparable({"before": [before], "cleaned": [cleaned]}, baseline="before")


def test_annotations_of_other_photos_or_of_nobody_are_refused(made_run: Made):
    one = made_run(SCORES, STATES)
    other = replace(one, version="v2.0", photos=np.array(["a.jpg", "b.jpg", "c.jpg"]))
    with pytest.raises(UserError, match=r"cannot be measured on the annotations of v1.0 seed 0 .*their test photos"):
        measured_on({"v1.0": [one], "v2.0": [other]}, annotations="v1.0")
    with pytest.raises(UserError, match=re.escape("annotations=v9 is none of the versions v1.0")):
        measured_on({"v1.0": [one]}, annotations="v9")
    again = replace(one, seed=1, states=np.array([[1, -1], [1, 1], [0, 1]], np.int8))
    with pytest.raises(UserError, match="annotations of 1 test photos differ"):
        measured_on({"v1.0": [one, again]}, annotations="v1.0")
