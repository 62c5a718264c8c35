"""From names to labels, worked by hand."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tagger.data.mapping import ORIGINS, Claims, Heard, absences, heard, to_labels, unclaimed_photos
from tagger.data.skipped import Skipped
from tagger.data.taxonomy import Label, Names, Taxonomy

TAXONOMY = Taxonomy(
    "mine",
    (
        Label("food", {}),
        Label("fruit", {}, parents=("food",), sources={"coco": ("apple", "orange"), "oi": ("/m/fruit", "/m/pear")}),
        Label("banana", {}, parents=("fruit",), sources={"coco": ("banana",)}, exact={"coco": ("banana",)}),
        Label("car", {}, sources={"coco": ("car",), "corel": ("formula",)}, exact={"coco": ("car",)}),
        Label("race", {}, sources={"corel": ("formula",)}),
    ),
    left_out={"coco": {"sink": "too rare"}},
)

Row = tuple[int, str, int]
"""photo, name, value"""


def table(*rows: Row, origin: str = "source", scores: list[float | None] | None = None) -> tuple[np.ndarray, pa.Table]:
    photo = np.array([row[0] for row in rows], dtype=np.int64)
    columns = {
        "name": pa.array([row[1] for row in rows], pa.string()),
        "value": pa.array([row[2] for row in rows], pa.int8()),
        "origin": pa.array([origin] * len(rows), pa.string()),
        "score": pa.array(scores or [None] * len(rows), pa.float32()),
    }
    return photo, pa.table(columns)


def facts(said: Claims) -> list[tuple[int, str, int]]:
    rows = zip(said.photo.tolist(), said.label.tolist(), said.value.tolist(), strict=True)
    return [(photo, TAXONOMY.ids[label], value) for photo, label, value in rows]


def mapped(*rows: Row, vocabulary: str = "coco") -> list[tuple[int, str, int]]:
    photo, annotations = table(*rows)
    return facts(to_labels(photo, annotations, TAXONOMY, vocabulary=vocabulary))


def test_any_name_of_a_label_makes_it_present() -> None:
    assert mapped((7, "apple", 1), (9, "orange", 1)) == [(7, "fruit", 1), (9, "fruit", 1)]


def test_two_names_of_a_label_are_one_statement() -> None:
    assert mapped((7, "apple", 1), (7, "orange", 1)) == [(7, "fruit", 1)]


def test_a_shared_name_stands_for_each_of_its_labels() -> None:
    assert mapped((7, "formula", 1), vocabulary="corel") == [(7, "car", 1), (7, "race", 1)]


def test_only_a_name_that_means_just_the_label_can_make_it_absent() -> None:
    assert mapped((7, "apple", -1), (7, "banana", -1)) == [(7, "banana", -1)]


def test_a_label_id_is_understood_from_every_source_and_is_exact() -> None:
    assert mapped((7, "race", -1), vocabulary="corel") == [(7, "race", -1)]


def test_one_name_that_is_present_outweighs_another_that_is_not() -> None:
    assert mapped((7, "fruit", -1), (7, "apple", 1)) == [(7, "fruit", 1)]
    assert mapped((7, "car", 0), (7, "car", -1)) == [(7, "car", 0)]


def test_the_highest_score_of_an_opinion_is_kept() -> None:
    photo, annotations = table((7, "apple", 1), (7, "orange", 1), origin="product", scores=[0.4, 0.9])
    said = to_labels(photo, annotations, TAXONOMY, vocabulary="coco")
    assert said.score.tolist() == [pytest.approx(0.9)]
    assert said.origin.tolist() == [ORIGINS.index("product")]


def test_names_that_nobody_thought_of_are_counted_apart_from_those_left_out_on_purpose() -> None:
    _, annotations = table((1, "sink", 1), (1, "tie", 1), (2, "tie", 1), (2, "car", 1))
    assert heard(annotations, Names(TAXONOMY, "coco")) == Heard({"tie": 2}, {"sink": 1}, {})


@pytest.mark.parametrize("name", ["Car", " car", "ｃａｒ", "\ufeffcar\u200b", "CAR\u00a0"])
def test_a_name_in_another_spelling_is_the_same_name_and_counted(name: str) -> None:
    assert mapped((7, name, 1), (7, "car", 1)) == [(7, "car", 1)]
    assert mapped((7, name, -1)) == [(7, "car", -1)]
    _, annotations = table((1, name, 1), (1, "Sink", 1))
    assert heard(annotations, Names(TAXONOMY, "coco")) == Heard(
        {}, {"sink": 1}, {f"{name!r} for 'car'": 1, "'Sink' for 'sink'": 1}
    )


def test_names_that_a_label_system_tells_apart_by_their_case_stay_two() -> None:
    names = Names(Taxonomy("mine", (Label("turkey", {}), Label("Turkey", {}), Label("TV", {}, aliases=("tv",)))), "")
    assert [names.known(name) for name in ("turkey", "Turkey", "TURKEY", "Tv")] == ["turkey", "Turkey", None, "TV"]
    assert (
        names.advice("TURKEY")
        == "it may be 'turkey' or 'Turkey', which the label system tells apart: write one of them"
    )


@pytest.mark.parametrize(
    ("name", "separator"), [("dog, cat", ","), ("Dog;cat", ";"), ("dog、CAT、dgo", "、"), ("dog|cat", "|")]
)
def test_a_list_with_another_separator_is_recognised_and_named(name: str, separator: str) -> None:
    names = Names(Taxonomy("mine", (Label("dog", {}), Label("cat", {}))), "")
    assert names.known(name) is None
    assert names.advice(name).endswith(
        f"with {separator!r} between them? then set separator={separator!r} for this source"
    )


def test_a_label_that_exact_names_make_both_present_and_absent_is_unknown_and_counted() -> None:
    taxonomy = Taxonomy("mine", (Label("table", {}, aliases=("desk",)),))
    photo, annotations = table((1, "table", 1), (1, "Desk", -1), (2, "desk", -1))
    skipped = Skipped()
    said = to_labels(photo, annotations, taxonomy, vocabulary="", skipped=skipped)
    assert list(zip(said.photo.tolist(), said.value.tolist(), strict=True)) == [(1, 0), (2, -1)]
    assert skipped.counts == {"label both present and absent on one photo, now unknown": 1}


def test_photos_of_which_something_is_said_that_no_label_claims_are_found() -> None:
    photo, annotations = table((1, "tie", 1), (2, "sink", 1), (3, "Car", 1), (4, "", 0), (5, "tie", -1))
    assert unclaimed_photos(photo, annotations, Names(TAXONOMY, "coco")).tolist() == [1, 4]
    opinions = table((1, "tie", 1), origin="product")
    assert not len(unclaimed_photos(*opinions, Names(TAXONOMY, "coco")))


def test_nothing_said_is_nothing_mapped() -> None:
    assert mapped() == []


def test_an_unheard_of_origin_is_refused() -> None:
    photo, annotations = table((7, "car", 1), origin="rumour")
    with pytest.raises(ValueError, match=r"origin must be one of .*, got 'rumour'"):
        to_labels(photo, annotations, TAXONOMY, vocabulary="coco")


def absent(
    *rows: Row, photos: list[int], looked_for: list[str], taxonomy: Taxonomy = TAXONOMY
) -> list[tuple[int, str]]:
    said = to_labels(*table(*rows), taxonomy, vocabulary="coco")
    columns = taxonomy.looked_for("coco", looked_for)
    found = absences(said, np.array(photos), taxonomy, looked_for=columns)
    return [
        (photo, taxonomy.ids[label]) for photo, label in zip(found.photo.tolist(), found.label.tolist(), strict=True)
    ]


def test_a_source_makes_absent_what_one_of_its_names_means_exactly_and_it_does_not_list() -> None:
    said = (3, "banana", 1), (5, "apple", 1)
    everything = absent(*said, photos=[3, 4, 5], looked_for=["banana", "apple", "car"])
    assert everything == [(3, "car"), (4, "banana"), (4, "car"), (5, "banana"), (5, "car")]
    assert absent(*said, photos=[3, 4, 5], looked_for=["banana", "apple"]) == [(4, "banana"), (5, "banana")]
    assert absent(*said, photos=[3, 4, 5], looked_for=["apple"]) == [], "a photo without apples may show other fruit"


PETS = Taxonomy(
    "pets", (Label("pet", {}), Label("dog", {}, parents=("pet",)), Label("cat", {}, parents=("pet",)), Label("car", {}))
)


def test_what_follows_from_a_listed_label_is_not_absent() -> None:
    found = absent((3, "dog", 1), photos=[3, 4], looked_for=list(PETS.ids), taxonomy=PETS)
    assert found == [(3, "cat"), (3, "car"), *((4, id_) for id_ in PETS.ids)]


def test_what_is_explicitly_unknown_is_not_absent_and_neither_is_what_it_is_a_kind_of() -> None:
    assert absent((3, "dog", 0), photos=[3], looked_for=list(PETS.ids), taxonomy=PETS) == [(3, "cat"), (3, "car")]


def test_a_group_is_absent_without_its_kinds_only_if_it_is_nothing_else_and_all_were_looked_for() -> None:
    closed = Taxonomy("pets", (replace(PETS.labels[0], closed=True), *PETS.labels[1:]))
    assert PETS.looked_for("coco", ["dog", "cat"]) == (1, 2)
    assert closed.looked_for("coco", ["dog", "cat"]) == (0, 1, 2)
    assert closed.looked_for("coco", ["dog"]) == (1,)
    assert absent((3, "dog", 1), photos=[3], looked_for=["dog", "cat"], taxonomy=closed) == [(3, "cat")]
    assert (4, "pet") in absent((3, "dog", 1), photos=[3, 4], looked_for=["dog", "cat"], taxonomy=closed)


def test_of_a_vocabulary_without_a_list_the_labels_that_have_an_exact_name_in_it_were_looked_for() -> None:
    assert TAXONOMY.looked_for("coco") == (2, 3)
    assert TAXONOMY.looked_for("corel") == ()
    assert TAXONOMY.looked_for("") == TAXONOMY.looked_for("mine") == (0, 1, 2, 3, 4)
