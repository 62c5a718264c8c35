"""Which relations are found, what the label system says of them, and what of it is put forward."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.data.taxonomy import Label, Taxonomy
from tagger.data.taxonomy.checks import mistakes
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.elsewhere import beside
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.pairs import count_pairs

EASY = Criteria(support=5)


def system(*ids: str, **relations: tuple[str, ...]) -> Taxonomy:
    """A label system; relations as ``parents_dog=("animal",)``."""
    keys = {id_: {} for id_ in ids}
    for word, others in relations.items():
        key, id_ = word.split("_")
        keys[id_][key] = others
    return Taxonomy("mine", tuple(Label(id_, {"en": id_}, **keys[id_]) for id_ in ids))


def photos(ids: Iterable[str], counts: dict[str, int], *, silent: bool = False) -> np.ndarray:
    """Return states: so many photos with these words; all else is absent, or unsaid."""
    rows = [[1 if id_ in words.split() else 0 if silent else -1 for id_ in ids] for words in counts]
    return np.repeat(np.array(rows, dtype=np.int8), list(counts.values()), axis=0)


def found(
    taxonomy: Taxonomy, states: np.ndarray, *, unknown: float = 0.0, criteria: Criteria = EASY
) -> dict[tuple[str, str, str], Finding]:
    sparse = csr_array(states)
    pairs, said = (count_pairs(sparse, unknown=weight) for weight in (unknown, 0.0))
    return {(f.kind, f.label, f.other): f for f in find_relations(pairs, said, taxonomy, criteria)}


FOREST = {"forest tree": 40, "tree": 40, "": 120}


def test_a_forest_has_trees_and_trees_are_no_forest():
    taxonomy = system("forest", "tree")
    relations = found(taxonomy, photos(taxonomy.ids, FOREST))
    assert set(relations) == {("implies", "forest", "tree")}
    forest = relations["implies", "forest", "tree"]
    assert (forest.taxonomy, forest.evidence, forest.is_suggested) == ("new", "holds", True)
    assert (forest.photos, forest.together, forest.by_chance, forest.lift) == (40, 40, 16, 2.5)


def test_ten_of_ten_photos_are_too_few_to_be_sure_of_nine_of_ten():
    taxonomy = system("forest", "tree")
    states = photos(taxonomy.ids, {"forest tree": 10, "": 90})
    assert ("implies", "forest", "tree") in found(taxonomy, states, criteria=Criteria(confidence=0.7))
    assert {kind for kind, *_ in found(taxonomy, states, criteria=Criteria(confidence=0.9))} == {"correlates"}


def test_what_nearly_every_photo_carries_is_implied_by_nothing():
    taxonomy = system("dog", "outdoors")
    states = photos(taxonomy.ids, {"dog outdoors": 95, "dog": 5, "outdoors": 830, "": 170})
    assert not found(taxonomy, states)
    rare = photos(taxonomy.ids, {"dog outdoors": 95, "dog": 5, "outdoors": 230, "": 770})
    assert ("implies", "dog", "outdoors") in found(taxonomy, rare)


def test_where_nobody_says_what_is_absent_nothing_is_found_unless_silence_is_weighed():
    taxonomy = system("forest", "tree")
    states = photos(taxonomy.ids, FOREST, silent=True)
    assert not found(taxonomy, states)
    weighed = found(taxonomy, states, unknown=1.0)["implies", "forest", "tree"]
    assert weighed.is_suggested
    assert weighed.annotated == 1, "on all photos of forests somebody said that there are trees"


def test_silence_makes_no_exclusion():
    taxonomy = system("indoor", "snow")
    counts = {"indoor": 100, "snow": 100, "": 200}
    assert not found(
        taxonomy, photos(taxonomy.ids, counts, silent=True), unknown=1.0, criteria=Criteria(correlation=0.5)
    )
    relation = found(taxonomy, photos(taxonomy.ids, counts))["excludes", "indoor", "snow"]
    assert (relation.is_suggested, relation.together, relation.by_chance) == (True, 0, 25)


def test_one_photo_with_both_is_reason_enough_not_to_put_an_exclusion_forward():
    taxonomy = system("cat", "dog")
    states = photos(taxonomy.ids, {"cat": 400, "dog": 400, "cat dog": 1, "": 800})
    assert not any(finding.kind == "excludes" for finding in found(taxonomy, states).values())


@pytest.mark.parametrize(("photos_of_each", "is_found"), [(75, False), (85, True)])
def test_labels_exclude_each_other_where_fifteen_photos_with_both_were_to_be_expected(photos_of_each, is_found):
    # Of 400 photos 14 and 18 by chance: of none seen the upper bound is 3.0, a fifth of 15.
    taxonomy = system("indoor", "snow")
    counts = {"indoor": photos_of_each, "snow": photos_of_each, "": 400 - 2 * photos_of_each}
    relations = found(taxonomy, photos(taxonomy.ids, counts))
    assert (("excludes", "indoor", "snow") in relations) == is_found


def test_labels_that_only_meet_often_are_mentioned_and_not_put_forward():
    taxonomy = system("bear", "snow")
    relations = found(taxonomy, photos(taxonomy.ids, {"bear snow": 40, "bear": 40, "snow": 40, "": 400}))
    assert set(relations) == {("correlates", "bear", "snow")}
    assert not relations["correlates", "bear", "snow"].is_suggested


def test_two_labels_that_imply_each_other_are_perhaps_one():
    taxonomy = system("iguana", "marine", "lizard")
    states = photos(taxonomy.ids, {"iguana marine lizard": 50, "lizard": 60, "": 300})
    relations = found(taxonomy, states)
    for ends in (("iguana", "marine"), ("marine", "iguana")):
        assert "perhaps one label" in relations[("implies", *ends)].note
        assert not relations[("implies", *ends)].is_suggested
    assert relations["implies", "iguana", "lizard"].is_suggested


def test_what_follows_through_another_suggestion_is_left_out():
    taxonomy = system("jet", "plane", "vehicle")
    states = photos(taxonomy.ids, {"jet plane vehicle": 40, "plane vehicle": 40, "vehicle": 50, "": 300})
    relations = found(taxonomy, states)
    assert relations["implies", "jet", "vehicle"].note == "follows through plane"
    assert [ends for ends, finding in relations.items() if finding.is_suggested] == [
        ("implies", "plane", "vehicle"),
        ("implies", "jet", "plane"),
    ]


def test_what_the_label_system_states_is_known_however_long_the_chain():
    taxonomy = system("poodle", "dog", "animal", parents_poodle=("dog",), implies_dog=("animal",))
    states = photos(taxonomy.ids, {"poodle dog animal": 40, "dog animal": 40, "animal": 40, "": 200})
    relations = found(taxonomy, states)
    assert {finding.taxonomy for finding in relations.values()} == {"known"}
    assert ("implies", "poodle", "animal") in relations


def test_a_label_system_that_says_the_opposite_is_contradicted():
    taxonomy = system("forest", "tree", "desert", parents_tree=("forest",), excludes_forest=("desert",))
    states = photos(taxonomy.ids, {"forest tree": 40, "tree": 40, "": 120, "desert forest": 30})
    relations = found(taxonomy, states)
    # Half of the trees stand in no forest.
    assert relations["implies", "tree", "forest"].evidence == "fails"
    desert = relations["implies", "desert", "forest"]
    assert (desert.taxonomy, desert.note, desert.is_suggested) == ("contradicting", "desert excludes forest", False)
    assert relations["excludes", "forest", "desert"].evidence == "fails"
    reverse = found(system("forest", "tree", parents_tree=("forest",)), photos(("forest", "tree"), FOREST))
    assert "both ways they would be one label" in reverse["implies", "forest", "tree"].note


def test_a_stated_relation_against_which_only_silence_speaks_does_not_fail():
    taxonomy = system("forest", "tree", "rare", implies_forest=("tree",), implies_rare=("tree",))
    counts = {"forest tree": 10, "forest": 40, "tree": 50, "rare tree": 2, "": 200}
    relations = found(taxonomy, photos(taxonomy.ids, counts, silent=True), unknown=1.0)
    assert relations["implies", "forest", "tree"].evidence == "silent"
    assert relations["implies", "rare", "tree"].evidence == "little"
    said = found(taxonomy, photos(taxonomy.ids, counts))
    assert said["implies", "forest", "tree"].evidence == "fails"


def test_two_labels_that_a_source_says_by_one_word_are_no_discovery():
    labels = (
        Label("race_car", {}, sources={"corel5k": ("formula",)}),
        Label("motorsport", {}, sources={"corel5k": ("formula", "turn")}),
    )
    taxonomy = Taxonomy("mine", labels)
    states = photos(taxonomy.ids, {"race_car motorsport": 40, "motorsport": 40, "": 200})
    relation = found(taxonomy, states)["implies", "race_car", "motorsport"]
    assert (relation.note, relation.is_suggested) == ("formula means both", False)


def test_chance_is_found_no_more_often_than_is_asked():
    rng = np.random.default_rng(0)
    taxonomy = system(*(f"l{number}" for number in range(60)))
    states = np.where(rng.random((2000, 60)) < rng.uniform(0.05, 0.5, 60), 1, -1).astype(np.int8)
    assert not found(taxonomy, states, criteria=Criteria(correlation=0.01))


def test_rare_labels_that_happen_to_meet_often_enough_are_still_chance():
    rng = np.random.default_rng(1)
    taxonomy = system(*(f"l{number}" for number in range(60)))
    states = np.where(rng.random((2000, 60)) < 0.04, 1, -1).astype(np.int8)
    # By chance 3 photos have both; of 1,770 pairs some reach 8, which looks like more among themselves.
    counts = count_pairs(csr_array(states), unknown=0)
    assert (np.triu(counts.both, 1) >= 8).sum() > 20
    assert not found(taxonomy, states, criteria=Criteria(support=8, correlation=0.01))


def test_another_label_system_is_asked_by_what_its_labels_are_called_there():
    ours = Taxonomy(
        "mine",
        (
            Label("human.man", {}, sources={"oi": ("/m/man",)}),
            Label("human", {}, sources={"oi": ("/m/person", "/m/hand")}, exact={"oi": ("/m/person",)}),
            Label("boats", {"en": "boats"}),
            Label("unheard", {}, sources={"oi": ("/m/none",)}),
        ),
    )
    theirs = Taxonomy(
        "oi",
        (
            Label("man", {}, ("person",), aliases=("/m/man",)),
            Label("person", {}, aliases=("/m/person",)),
            Label("boat", {"en": "Boat"}),
        ),
    )
    counts = {"human.man human boats unheard": 40, "human boats unheard": 40, "boats unheard": 40, "": 300}
    relations = list(found(ours, photos(ours.ids, counts)).values())
    said = {(f.label, f.other): f.elsewhere for f in beside(relations, ours, theirs)}
    apart = [replace(f, kind="excludes") for f in relations]
    of_exclusions = {(f.label, f.other): f.elsewhere for f in beside(apart, ours, theirs)}
    assert of_exclusions["human.man", "human"] == "oi: contradicting"
    assert of_exclusions["human", "boats"] == "", "it states no exclusions at all"
    assert said["human.man", "human"] == "oi: known"
    assert said["human", "boats"] == "oi: new"
    assert said["human.man", "unheard"] == ""


@st.composite
def some_world(draw: st.DrawFn) -> tuple[Taxonomy, np.ndarray]:
    """A small label system without mistakes, and photos that know nothing of it."""
    ids = [f"l{number}" for number in range(5)]
    labels = []
    for number, id_ in enumerate(ids):
        above = draw(st.sets(st.sampled_from(ids[number + 1 :]), max_size=1)) if ids[number + 1 :] else set()
        apart = draw(st.sets(st.sampled_from(ids), max_size=1)) - {id_} if draw(st.booleans()) else set()
        labels.append(Label(id_, {}, implies=tuple(above), excludes=tuple(apart)))
    if mistakes([(label, 0) for label in labels], {}, {}):
        labels = [Label(id_, {}) for id_ in ids]
    kinds = draw(st.lists(st.tuples(*[st.sampled_from([-1, 1])] * 5), min_size=2, max_size=6))
    counts = draw(st.lists(st.integers(5, 60), min_size=len(kinds), max_size=len(kinds)))
    return Taxonomy("mine", tuple(labels)), np.repeat(np.array(kinds, dtype=np.int8), counts, axis=0)


@given(some_world())
def test_all_suggestions_together_make_a_label_system_without_mistakes(world: tuple[Taxonomy, np.ndarray]):
    taxonomy, states = world
    criteria = Criteria(confidence=0.6, support=2, exceptions=0.9, chance=0.5)
    put = [finding for finding in found(taxonomy, states, criteria=criteria).values() if finding.is_suggested]
    grown = []
    for label in taxonomy.labels:
        more = {key: getattr(label, key) for key in ("implies", "excludes")}
        for finding in put:
            if finding.label == label.id:
                more[finding.kind] += (finding.other,)
        grown.append((Label(label.id, {}, implies=more["implies"], excludes=more["excludes"]), 0))
    assert mistakes(grown, {}, {}) == []


@pytest.mark.parametrize("setting", [{"confidence": 1.0}, {"chance": 0}, {"support": 0}, {"exceptions": -1}])
def test_criteria_that_cannot_be_are_refused(setting: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Criteria(**setting)  # type: ignore[arg-type]
