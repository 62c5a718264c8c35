"""A detector's numbers mean what the list at their place says; numberings are said, never guessed."""

import pytest
from torchvision.models.detection import SSD300_VGG16_Weights

from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError
from tagger.tags.detector.classes import COCO_80, COCO_91, NO_CLASS, class_names


def test_the_published_numbers_are_those_of_torchvision():
    assert list(COCO_91) == SSD300_VGG16_Weights.DEFAULT.meta["categories"]


def test_the_two_numberings_name_the_same_classes_in_the_same_order():
    assert [name for name in COCO_91 if name not in NO_CLASS] == list(COCO_80)
    assert (COCO_80[79], COCO_91[90]) == ("toothbrush", "toothbrush")


def test_the_label_system_of_coco_knows_every_class():
    assert set(COCO_80) <= set(read_taxonomy("coco").columns_of("coco"))


def test_a_list_of_names_is_taken_as_it_is():
    assert class_names(["crane", "N/A", "digger"]) == ("crane", "N/A", "digger")


@pytest.mark.parametrize("classes", ["coco", [], ["N/A", ""], [1, 2]])
def test_what_names_no_class_is_refused(classes: object):
    with pytest.raises(UserError, match=r"detector\.classes must be"):
        class_names(classes)  # type: ignore[arg-type]
