"""From names to labels, worked by hand."""

import numpy as np
import pyarrow as pa
import pytest

from tagger.data.mapping import ORIGINS, Said, absences, names_without_label, to_labels
from tagger.data.taxonomy import Label, Taxonomy

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


def facts(said: Said) -> list[tuple[int, str, int]]:
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
    assert names_without_label(annotations, TAXONOMY, vocabulary="coco") == ({"tie": 2}, {"sink": 1})


def test_nothing_said_is_nothing_mapped() -> None:
    assert mapped() == []


def test_an_unheard_of_origin_is_refused() -> None:
    photo, annotations = table((7, "car", 1), origin="rumour")
    with pytest.raises(ValueError, match=r"origin must be one of .*, got 'rumour'"):
        to_labels(photo, annotations, TAXONOMY, vocabulary="coco")


def test_an_exhaustive_source_makes_absent_what_it_has_an_exact_name_for_and_does_not_list() -> None:
    photo, annotations = table((3, "banana", 1), (5, "apple", 1))
    said = to_labels(photo, annotations, TAXONOMY, vocabulary="coco")
    absent = facts(absences(said, np.array([3, 4, 5]), TAXONOMY, vocabulary="coco"))
    assert [(photo, label) for photo, label, _ in absent] == [
        (3, "car"),
        (4, "banana"),
        (4, "car"),
        (5, "banana"),
        (5, "car"),
    ]


def test_what_follows_from_a_listed_label_is_not_absent() -> None:
    plain = Taxonomy("plain", (Label("food", {}), Label("fruit", {}, parents=("food",)), Label("car", {})))
    photo, annotations = table((3, "fruit", 1))
    said = to_labels(photo, annotations, plain, vocabulary="mine")
    absent = absences(said, np.array([3, 4]), plain, vocabulary="mine")
    assert list(zip(absent.photo.tolist(), absent.label.tolist(), strict=True)) == [(3, 2), (4, 0), (4, 1), (4, 2)]


def test_what_is_explicitly_unknown_is_not_absent() -> None:
    photo, annotations = table((3, "car", 0))
    said = to_labels(photo, annotations, TAXONOMY, vocabulary="coco")
    assert (3, "car", -1) not in facts(absences(said, np.array([3]), TAXONOMY, vocabulary="coco"))
