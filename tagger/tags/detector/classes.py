"""What a detector's numbers mean: a list of names in which the place is the number.

COCO's 80 classes are numbered in two ways: from 1 with gaps to 90, as published and as torchvision's detectors do, and
from 0 to 79 without gaps, as most others. A wrong guess would call a bus a train, so it is stated, never guessed.
"""

from collections.abc import Sequence

from tagger.errors import UserError

NO_CLASS = frozenset({"", "N/A", "__background__"})
"""Names in a list that stand for nothing that can be seen."""

COCO_80 = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)
"""The classes of COCO 2017 in their order."""

_GAPS = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)


def _with_gaps() -> tuple[str, ...]:
    names = iter(COCO_80)
    return tuple("__background__" if number == 0 else "N/A" if number in _GAPS else next(names) for number in range(91))


COCO_91 = _with_gaps()
"""The same under their published ids: 1 is person, 90 toothbrush; 0 and the gaps stand for nothing."""

KNOWN = {"coco80": COCO_80, "coco91": COCO_91}


def class_names(classes: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of a detector's classes, each at the place of its number.

    Args:
        classes: ``coco91`` (person is 1, as torchvision numbers), ``coco80`` (person is 0), or the names themselves.

    Raises:
        UserError: If it is another word, or no list of words with at least one class.

    Example:
        >>> class_names("coco91")[1], class_names("coco80")[0], class_names("coco91")[90]
        ('person', 'person', 'toothbrush')
    """
    if isinstance(classes, str):
        if classes not in KNOWN:
            raise UserError(f"detector.classes must be {' or '.join(KNOWN)} or a list of names, got {classes!r}")
        return KNOWN[classes]
    names = tuple(classes)
    if not all(isinstance(name, str) for name in names) or not set(names) - NO_CLASS:
        raise UserError(
            f"detector.classes must be a list with at least one name, all of them words, got {names!r:.200}"
        )
    return names
