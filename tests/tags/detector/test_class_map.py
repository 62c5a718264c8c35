"""Classes become labels through the label system."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tagger.data.taxonomy import Label, Taxonomy, read_taxonomy
from tagger.errors import UserError
from tagger.tags.detector.classes import COCO_80, COCO_91
from tagger.tags.detector.mapping import ClassMap


def test_a_label_is_what_any_of_its_classes_shows():
    furniture = Label("furniture", {}, sources={"coco": ("bed", "couch")})
    found = ClassMap.of(["bed", "couch", "cat"], Taxonomy("mine", (Label("sky", {}), furniture)))
    assert found.of_class == ((1,), (1,), ())
    assert found.candidates.tolist() == [1]
    assert found.unmapped(["bed", "couch", "cat"]) == ("cat",)
    assert found.to_labels(np.array([[0.2, 0.7, 0.9]]))[0].tolist() == pytest.approx([0, 0.7])


def test_both_numberings_of_coco_lead_to_the_same_labels():
    taxonomy = read_taxonomy("corel5k")
    one, other = (ClassMap.of(classes, taxonomy) for classes in (COCO_80, COCO_91))
    assert one.candidates.tolist() == other.candidates.tolist()
    assert one.as_recipe(COCO_80) == other.as_recipe(COCO_91)
    assert one.as_recipe(COCO_80)["airplane"] == ["plane"]


def test_every_class_of_voc_has_a_class_of_coco():
    assert len(ClassMap.of(COCO_91, read_taxonomy("voc")).candidates) == 20


def test_names_of_another_vocabulary_are_looked_up_there():
    tree = Label("tree", {}, sources={"open_images": ("/m/07j7r",), "coco": ("bench",)})
    assert ClassMap.of(["/m/07j7r"], Taxonomy("mine", (tree,)), vocabulary="open_images").of_class == ((0,),)


def test_a_detector_of_which_no_class_means_a_label_is_refused():
    with pytest.raises(UserError, match=r"none of the detector's 91 classes means a label of 'sample'.*\{coco"):
        ClassMap.of(COCO_91, read_taxonomy("sample"))


def test_a_recipe_gives_the_same_map_again():
    taxonomy = read_taxonomy("album")
    made = ClassMap.of(COCO_91, taxonomy)
    again = ClassMap.from_recipe(taxonomy.ids, COCO_91, made.as_recipe(COCO_91))
    assert again.of_class == made.of_class


of_class = st.lists(st.lists(st.integers(0, 3), max_size=3, unique=True).map(tuple), min_size=5, max_size=5)


@given(of_class, arrays.arrays(np.float32, (3, 5), elements=st.floats(0, 1, width=32)), st.floats(0, 1))
def test_it_is_the_maximum_of_plain_loops(of_class: list[tuple[int, ...]], highest: np.ndarray, floor: float):
    found = ClassMap(("a", "b", "c", "d"), tuple(of_class)).to_labels(highest, floor=floor)
    for photo in range(3):
        for label in range(4):
            seen = [highest[photo, number] for number in range(5) if label in of_class[number]]
            best = max(seen, default=0)
            assert found[photo, label] == (best if best >= floor else 0)
