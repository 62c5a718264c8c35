"""What tags are called in a sidecar."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.xmp.keywords import MAX_PATHS, Namer, paths


def label(id_: str, name: str, *groups: str) -> BundleLabel:
    return BundleLabel(id_, {"en": name, "zh": f"{name}‐zh"}, 0.5, groups=groups)


LABELS = [
    label("animal", "animal"),
    label("pet", "pet"),
    label("dog", "dog", "animal"),
    label("poodle", "poodle", "dog", "pet", "animal"),
    label("odd", "black|white and/or grey\n", "animal"),
]


def line(*ids: str) -> list[dict[str, str]]:
    names = {each.id: each.name("en") for each in LABELS}
    return [{"label": id_, "name": names.get(id_, id_)} for id_ in ids]


def test_a_label_with_two_parents_has_two_paths():
    found = Namer(LABELS, "en").keywords(line("poodle", "animal"))
    assert found.subject == ("poodle", "animal")
    assert found.hierarchical_subject == ("animal|dog|poodle", "pet|poodle", "animal")
    assert found.tags_list == ("animal/dog/poodle", "pet/poodle", "animal")


def test_groups_are_called_in_the_language_that_was_asked_for():
    assert Namer(LABELS, "zh").keywords([{"label": "dog", "name": "狗"}]).tags_list == ("animal‐zh/狗",)


def test_separators_in_a_name_do_not_make_another_path():
    found = Namer(LABELS, "en").keywords(line("odd"))
    assert found.subject == ("black|white and/or grey\\n",)
    assert found.hierarchical_subject == ("animal|black¦white and/or grey\\n",)
    assert found.tags_list == ("animal/black¦white and\\or grey\\n",)


def test_two_labels_of_one_name_are_one_keyword():
    twins = [label("bow.weapon", "bow"), label("bow.ribbon", "bow")]
    found = Namer(twins, "en").keywords([{"label": each.id, "name": "bow"} for each in twins])
    assert found.subject == found.tags_list == ("bow",)


def test_a_label_that_the_bundle_does_not_know_is_its_own_path():
    assert Namer(LABELS, "en").keywords(line("unknown")).hierarchical_subject == ("unknown",)


def test_a_loop_of_groups_ends():
    assert paths("a", {"a": ("b", "a"), "b": ("a",)}) == [("b", "a")]


def test_a_label_system_in_which_everything_has_two_parents_has_no_more_than_some_paths():
    groups: dict[str, list[str]] = {}
    for step in range(12):
        for side in "ab":
            groups[f"{side}{step}"] = [f"{s}{lower}" for lower in reversed(range(step)) for s in "ab"]
    assert len(paths("a11", groups)) == MAX_PATHS


@st.composite
def label_systems(draw: st.DrawFn) -> dict[str, set[str]]:
    """Draw the parents of up to eight labels, each among those before it."""
    ids = "abcdefgh"[: draw(st.integers(1, 8))]
    return {id_: draw(st.sets(st.sampled_from(ids[:at]), max_size=2)) if at else set() for at, id_ in enumerate(ids)}


@given(parents=label_systems())
def test_every_path_goes_from_parent_to_child_and_starts_at_the_top(parents: dict[str, set[str]]):
    above: dict[str, list[str]] = {}
    for id_, direct in parents.items():
        above[id_] = sorted({*direct, *(far for near in direct for far in above[near])}, reverse=True)
    # A parent that is also above another parent says nothing new.
    said = {id_: {p for p in direct if not any(p in above[o] for o in direct)} for id_, direct in parents.items()}
    for id_ in parents:
        found = paths(id_, above)
        assert len(set(found)) == len(found)
        for path in found:
            assert path[-1] == id_
            assert not parents[path[0]]
            assert all(upper in said[lower] for upper, lower in pairwise(path))


@pytest.mark.parametrize("name", ["", "   "])
def test_a_label_without_a_name_is_called_by_its_id(name: str):
    assert Namer([label("dog", name)], "en").names == {"dog": "dog"}
