"""What follows is raised, what is excluded falls away; each against plain loops over photos and labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.data.taxonomy import Taxonomy, read_taxonomy
from tagger.data.taxonomy.checks import mistakes
from tagger.data.taxonomy.label_system import Label
from tagger.tags.relations.rules import Pooling, Relation, Rules, RuleSettings, relations_of

LABELS = "abcdefg"


def scores_of(rules: Rules, **scores: float) -> dict[str, float]:
    """Complete the scores of one photo; labels that are not named score 0.1."""
    given_scores = torch.tensor([[scores.get(label, 0.1) for label in rules.labels]])
    return dict(zip(rules.labels, rules(given_scores)[0].tolist(), strict=True))


def close(**scores: float) -> object:
    return pytest.approx(scores)


# --- worked examples --------------------------------------------------------------------------------------------------


ZOO = Rules(
    ["dogsled", "poodle", "dog", "animal", "snow", "beach"],
    [
        Relation("implies", "dogsled", "snow"),
        Relation("implies", "dogsled", "animal"),
        Relation("parents", "poodle", "dog"),
        Relation("parents", "dog", "animal"),
        Relation("excludes", "beach", "snow"),
    ],
)


def test_a_parent_scores_at_least_its_grandchild():
    assert scores_of(ZOO, poodle=0.8)["animal"] == pytest.approx(0.8)
    assert scores_of(ZOO, poodle=0.8, animal=0.9)["animal"] == pytest.approx(0.9)


def test_an_implication_belongs_to_the_label_that_states_it():
    assert scores_of(ZOO, dogsled=0.7) == close(dogsled=0.7, poodle=0.1, dog=0.1, animal=0.7, snow=0.7, beach=0.0)
    assert scores_of(ZOO, snow=0.9) == close(dogsled=0.1, poodle=0.1, dog=0.1, animal=0.1, snow=0.9, beach=0.0)


def test_of_two_excluding_labels_the_lower_falls_with_all_from_which_it_follows():
    done = scores_of(ZOO, beach=0.6, dogsled=0.5, poodle=0.2)
    # The dogsled fell with the snow that it implies, and raises the animal no more.
    assert done == close(dogsled=0.0, poodle=0.2, dog=0.2, animal=0.2, snow=0.0, beach=0.6)


def test_the_completed_scores_decide_what_is_excluded():
    done = scores_of(ZOO, beach=0.6, dogsled=0.7, snow=0.05)
    assert (done["snow"], done["beach"]) == (pytest.approx(0.7), 0)


def test_of_equal_excluding_labels_the_first_stays():
    assert scores_of(ZOO, beach=0.5, snow=0.5)["snow"] == 0.5


def test_several_weak_children_raise_a_parent_by_noisy_or():
    relations = [
        Relation("parents", "cat", "pet"),
        Relation("parents", "dog", "pet"),
        Relation("parents", "pet", "animal"),
    ]
    relations += [Relation("implies", "leash", "pet")]
    labels = ["animal", "pet", "cat", "dog", "leash"]
    scores = {"cat": 0.5, "dog": 0.4, "leash": 0.6, "pet": 0.1, "animal": 0.1}
    pooled = scores_of(Rules(labels, relations, pooling="noisy_or"), **scores)
    # 1 − 0.5 · 0.6; what merely implies does not count together with what is a kind of it, but is a bound.
    assert pooled == close(animal=0.7, pet=0.7, cat=0.5, dog=0.4, leash=0.6)
    assert scores_of(Rules(labels, relations), **scores)["pet"] == pytest.approx(0.6)
    assert scores_of(Rules(labels, relations, pooling="noisy_or"), **scores | {"leash": 0.9})[
        "animal"
    ] == pytest.approx(0.9)


def test_a_relation_that_is_switched_off_does_nothing():
    rules = ZOO.without([Relation("parents", "dog", "animal")])
    assert scores_of(rules, poodle=0.8) == close(dogsled=0.1, poodle=0.8, dog=0.8, animal=0.1, snow=0.1, beach=0.0)
    assert scores_of(rules.without([Relation("excludes", "beach", "snow")]), beach=0.8)["snow"] == pytest.approx(0.1)
    assert ZOO.dropped == ()


def test_without_relations_scores_stay_as_they_are_to_the_bit():
    scores = torch.rand(5, 3)
    assert (Rules("abc")(scores) == scores).all()


def test_no_photos_are_no_mistake():
    assert ZOO(torch.zeros(0, 6)).shape == (0, 6)


# --- laws -------------------------------------------------------------------------------------------------------------


@st.composite
def systems(draw: st.DrawFn, *, exclusions: bool = True) -> list[Relation]:
    """Draw relations that a label system may state: no cycles, no contradictions."""
    pairs = [(low, high) for number, low in enumerate(LABELS) for high in LABELS[number + 1 :]]
    raising = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=8))
    relations = [Relation(draw(st.sampled_from(["parents", "implies"])), low, high) for low, high in raising]
    for low, high in draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3)) if exclusions else ():
        relation = Relation("excludes", *draw(st.permutations([low, high])))
        if not mistakes([(label, 1) for label in labels_of([*relations, relation])], {}, {}):
            relations.append(relation)
    order = draw(st.permutations(relations))
    return list(order)


def labels_of(relations: Sequence[Relation]) -> list[Label]:
    def of(label: str, kind: str) -> tuple[str, ...]:
        return tuple(relation.other for relation in relations if relation[:2] == (kind, label))

    return [
        Label(id_, {}, parents=of(id_, "parents"), implies=of(id_, "implies"), excludes=of(id_, "excludes"))
        for id_ in LABELS
    ]


some_scores = st.lists(
    # Few values, so that ties are common; 0 and 1 among them.
    st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), min_size=len(LABELS), max_size=len(LABELS)),
    min_size=1,
    max_size=3,
).map(torch.tensor)
poolings = st.sampled_from(["max", "noisy_or"])


def plainly(relations: Sequence[Relation], scores: Sequence[float], pooling: str) -> list[float]:
    """Complete one photo by loops: relations are repeated until nothing changes."""

    def complete(values: dict[str, float]) -> dict[str, float]:
        while True:
            before = dict(values)
            for relation in relations:
                if relation.kind != "excludes":
                    values[relation.other] = max(values[relation.other], values[relation.label])
            for parent in LABELS if pooling == "noisy_or" else ():
                missed = 1.0
                for relation in relations:
                    if relation.kind == "parents" and relation.other == parent:
                        missed *= 1 - values[relation.label]
                values[parent] = max(values[parent], 1 - missed)
            if values == before:
                return values

    own = dict(zip(LABELS, scores, strict=True))
    completed = complete(dict(own))
    fallen = set()
    for relation in relations:
        if relation.kind == "excludes":
            one, other = sorted(relation[1:])
            fallen.add(other if completed[one] >= completed[other] else one)
    while more := {r.label for r in relations if r.kind != "excludes" and r.other in fallen} - fallen:
        fallen |= more
    done = complete({label: 0.0 if label in fallen else score for label, score in own.items()})
    return [done[label] for label in LABELS]


@given(systems(), some_scores, poolings)
def test_they_are_what_plain_loops_give(relations: list[Relation], scores: Tensor, pooling: Pooling):
    done = Rules(LABELS, relations, pooling=pooling)(scores)
    expected = [plainly(relations, photo, pooling) for photo in scores.double().tolist()]
    np.testing.assert_allclose(done.numpy(), expected, atol=1e-6)


@given(systems(), some_scores, poolings)
def test_completing_again_changes_nothing(relations: list[Relation], scores: Tensor, pooling: Pooling):
    rules = Rules(LABELS, relations, pooling=pooling)
    once = rules(scores)
    assert (rules(once) == once).all()


@given(systems(), some_scores, poolings)
def test_what_follows_scores_at_least_as_much_and_of_excluding_labels_one_scores_nothing(
    relations: list[Relation], scores: Tensor, pooling: Pooling
):
    done = dict(zip(LABELS, Rules(LABELS, relations, pooling=pooling)(scores).T, strict=True))
    assert all(((score >= 0) & (score <= 1)).all() for score in done.values())
    for kind, label, other in relations:
        if kind == "excludes":
            assert (torch.minimum(done[label], done[other]) == 0).all()
        else:
            assert (done[other] >= done[label]).all()


@given(systems(exclusions=False), some_scores, poolings, st.data())
def test_without_exclusions_a_higher_score_lowers_no_other(
    relations: list[Relation], scores: Tensor, pooling: Pooling, data: st.DataObject
):
    rules = Rules(LABELS, relations, pooling=pooling)
    higher = scores.clone()
    higher[:, data.draw(st.integers(0, len(LABELS) - 1))] = 1.0
    assert (rules(scores) >= scores).all()
    assert (rules(higher) >= rules(scores)).all()


@given(systems(), some_scores, poolings, st.integers(0, len(LABELS) - 1))
def test_with_exclusions_a_higher_score_never_lowers_its_own_label(
    relations: list[Relation], scores: Tensor, pooling: Pooling, column: int
):
    rules = Rules(LABELS, relations, pooling=pooling)
    higher = scores.clone()
    higher[:, column] = 1.0
    assert (rules(higher)[:, column] >= rules(scores)[:, column]).all()


@given(systems(), some_scores)
def test_pooling_gives_at_least_the_maximum(relations: list[Relation], scores: Tensor):
    raising = [relation for relation in relations if relation.kind != "excludes"]
    assert (Rules(LABELS, raising, pooling="noisy_or")(scores) >= Rules(LABELS, raising)(scores)).all()


@given(systems(), some_scores, poolings, st.data())
def test_the_rules_around_a_label_give_its_score(
    relations: list[Relation], scores: Tensor, pooling: Pooling, data: st.DataObject
):
    rules = Rules(LABELS, relations, pooling=pooling)
    label = data.draw(st.sampled_from(LABELS))
    few = rules.around(label)
    done = few(scores[:, [rules.column[id_] for id_ in few.labels]])[:, few.column[label]]
    assert (done == rules(scores)[:, rules.column[label]]).all()


# --- why --------------------------------------------------------------------------------------------------------------


def origins(rules: Rules, **scores: float) -> dict[str, str]:
    before = torch.tensor([[scores.get(label, 0.1) for label in rules.labels]])
    columns = rules.origins(before, rules(before))[0].tolist()
    return {label: rules.labels[column] for label, column in zip(rules.labels, columns, strict=True)}


def test_a_tag_says_from_which_label_it_follows_and_not_from_one_that_fell():
    assert origins(ZOO, poodle=0.8, dogsled=0.9, beach=0.95) == {
        "dogsled": "dogsled",
        "poodle": "poodle",
        "dog": "poodle",
        "animal": "poodle",
        "snow": "snow",
        "beach": "beach",
    }
    assert origins(ZOO, dogsled=0.9)["snow"] == "dogsled"


@given(systems(), some_scores)
def test_an_origin_is_a_label_whose_own_score_it_is(relations: list[Relation], before: Tensor):
    rules = Rules(LABELS, relations)
    after = rules(before)
    columns = rules.origins(before, after)
    raised = columns != torch.arange(len(LABELS))
    assert (before.gather(1, columns)[raised] == after[raised]).all()
    assert all(
        rules.follows[source, target] for source, (_, target) in zip(columns[raised], raised.nonzero(), strict=True)
    )
    assert (raised == (after > torch.where(after > 0, before, 0.0))).all()


def test_what_is_pooled_follows_from_its_strongest_child():
    rules = Rules("abc", [Relation("parents", "a", "c"), Relation("parents", "b", "c")], pooling="noisy_or")
    assert origins(rules, a=0.4, b=0.5)["c"] == "b"


# --- a real label system, and beyond torch ----------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["max", "noisy_or"])
def test_the_album_exports_to_onnx_for_any_number_of_photos(pooling: Pooling, tmp_path: Path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    rules = RuleSettings(pooling=pooling).of(read_taxonomy("album")).eval()
    path = tmp_path / "rules.onnx"
    batch = torch.export.Dim("batch")
    torch.onnx.export(rules, (torch.rand(3, 292),), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    session = onnxruntime.InferenceSession(path)
    for photos in (1, 17):
        scores = torch.rand(photos, 292)
        (given,) = session.run(None, {session.get_inputs()[0].name: scores.numpy()})
        np.testing.assert_allclose(given, rules(scores).numpy(), atol=1e-6)


def test_a_recipe_is_enough_to_build_them_again():
    labels = [{"id": label} for label in ZOO.labels]
    rules = ZOO.without([Relation("excludes", "beach", "snow")])
    again = Rules.from_recipe({"labels": labels, "rules": rules.as_recipe()})
    scores = torch.rand(9, 6)
    assert (again(scores) == rules(scores)).all()
    assert (again.active, again.dropped) == (rules.active, rules.dropped)
    assert Rules.from_recipe({"labels": labels}).relations == (), "a checkpoint from before there were rules"
    assert not rules.state_dict(), "nothing that checkpoints from before there were rules lack"


def test_settings_choose_the_kinds_of_relations():
    taxonomy = Taxonomy(
        "mine",
        (
            Label("a", {}, parents=("b",), excludes=("c",)),
            Label("b", {}, implies=("d",)),
            *(Label(i, {}) for i in "cd"),
        ),
    )
    assert len(relations_of(taxonomy)) == 3
    assert RuleSettings(kinds=["implies"]).of(taxonomy).relations == (Relation("implies", "b", "d"),)
    assert RuleSettings(kinds=[]).of(taxonomy).relations == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ["parent"]}, "rules.kinds must be 'parents' or 'implies' or 'excludes', got 'parent'"),
        ({"pooling": "mean"}, "rules.pooling must be 'max' or 'noisy_or', got 'mean'"),
        ({"keep": "some"}, "rules.keep must be 'all' or 'helpful', got 'some'"),
    ],
)
def test_a_setting_that_is_another_word_is_refused(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        RuleSettings(**settings)
