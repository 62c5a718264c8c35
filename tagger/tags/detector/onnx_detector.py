"""Any detector that was exported to ONNX with torchvision's signature, run by onnxruntime; nothing here needs torch.

One input, ``image``: float32 [3, height, width], RGB in 0..1, of any size. Three outputs for the N objects found:
``boxes`` float32 [N, 4], ``labels`` int64 [N] (the numbers of classes), ``scores`` float32 [N] in 0..1. Outputs of
other names are told apart by their types, which are all different.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.tags.detector.classes import NO_CLASS
from tagger.tags.detector.picture import Picture, as_input
from tagger.tags.session import Session, open_session

MAX_BYTES = 2**31
"""Largest file that is read: a protobuf cannot be larger."""


CLEAR = 0.5
"""Score from which something is seen beyond doubt."""


class DetectorError(UserError):
    """A detector that cannot be had, cannot be run or does not say what it should; the message says what to do."""


class Found(NamedTuple):
    """The objects on one photo."""

    boxes: NDArray[np.float32]
    """Left, top, right, bottom in pixels of the picture, (objects, 4)."""
    classes: NDArray[np.int64]
    """Numbers of their classes, (objects,)."""
    scores: NDArray[np.float32]
    """0..1, (objects,)."""


class OnnxDetector:
    """A detector that is ready to look at pictures.

    Args:
        model: Bytes of the ONNX file.
        classes: Names of its classes, each at the place of its number.
        name: What messages call it, its path for instance.
        threads: Threads it computes with; None takes as many as there are cores.

    Raises:
        DetectorError: If it cannot be read, or its inputs and outputs are others.
        UserError: If onnxruntime is missing.
    """

    def __init__(
        self, model: bytes, classes: Sequence[str], *, name: str = "the detector", threads: int | None = None
    ) -> None:
        self.classes = tuple(classes)
        self.name = name
        self.sha256 = hashlib.sha256(model).hexdigest()
        self.session = _session(model, name=name, threads=threads)
        self.input = _input(self.session.inputs, name=name)
        self.outputs = _outputs(self.session.outputs, name=name)
        self._nameless = np.array([class_ in NO_CLASS for class_ in self.classes])
        # It must run, on a picture of a size of our own.
        self.objects(np.full((3, 96, 64), 0.5, np.float32))

    def objects(self, picture: Picture) -> Found:
        """Return what it finds on one picture.

        Raises:
            DetectorError: If it fails, or speaks of classes that have no name.
        """
        try:
            values = self.session.run(self.outputs, {self.input: picture})
        except ValueError as error:
            raise DetectorError(f"{self.name} does not run: {error}") from error
        found = Found(*values)
        self._check(found)
        return found

    def highest(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the highest score of every class on an RGB picture (height, width, 3); 0 where there is none.

        Shape (classes,).
        """
        found = self.objects(as_input(pixels))
        scores = np.zeros(len(self.classes), np.float32)
        np.maximum.at(scores, found.classes, found.scores)
        return scores

    def _check(self, found: Found) -> None:
        objects = found.scores.size
        if found.boxes.shape != (objects, 4) or found.classes.shape != (objects,) or found.scores.ndim != 1:
            shapes = ", ".join(str(value.shape) for value in found)
            raise DetectorError(f"{self.name} must give boxes [N, 4], labels [N] and scores [N], gave {shapes}")
        if not objects:
            return
        low, high = int(found.classes.min()), int(found.classes.max())
        if low < 0 or high >= len(self.classes):
            raise DetectorError(
                f"{self.name} speaks of class {low if low < 0 else high}, but detector.classes names 0 to "
                f"{len(self.classes) - 1}: is it numbered otherwise (coco91, coco80, a list of its own)?"
            )
        # A trained detector may see a shadow of nothing, but not clearly.
        if (nameless := found.classes[self._nameless[found.classes] & (found.scores >= CLEAR)]).size:
            raise DetectorError(
                f"{self.name} speaks of class {int(nameless[0])}, which stands for nothing in detector.classes: is it "
                "numbered otherwise (coco80 where coco91 was given, for instance)?"
            )
        # Written so that NaN is refused too.
        if not (found.scores.min() >= 0 and found.scores.max() <= 1):
            raise DetectorError(
                f"{self.name} gives scores from {found.scores.min():.3g} to {found.scores.max():.3g}; they must lie in "
                "[0, 1]: export it with its sigmoid or softmax inside"
            )


def _session(model: bytes, *, name: str, threads: int | None) -> Session:
    try:
        # Non-maximum suppression is a branch or a loop in the detectors of torchvision.
        return open_session(model, threads=threads, control_flow=True)
    except ValueError as error:
        raise DetectorError(f"{name} is no detector that onnxruntime can read: {error}") from error


def _input(inputs: Sequence[Any], *, name: str) -> str:
    """Return the name of the picture among a graph's inputs."""
    types = ", ".join(f"{value.name}: {value.type} {value.shape}" for value in inputs)
    picture = inputs[0] if len(inputs) == 1 else None
    if (
        picture is None
        or picture.type != "tensor(float)"
        or len(picture.shape) != 3
        or picture.shape[0] not in (3, None)
    ):
        raise DetectorError(
            f"{name} must take one image, float32 [3, height, width] in 0..1, as torchvision's do; it takes {types}"
        )
    if any(isinstance(side, int) for side in picture.shape[1:]):
        raise DetectorError(
            f"{name} takes pictures of one size only ({types}); export it with dynamic height and width"
        )
    return str(picture.name)


def _outputs(outputs: Sequence[Any], *, name: str) -> list[str]:
    """Return the names of boxes, labels and scores among a graph's outputs."""
    kinds = {"boxes": ("tensor(float)", 2), "labels": ("tensor(int64)", 1), "scores": ("tensor(float)", 1)}
    found = []
    for role, (type_, rank) in kinds.items():
        fitting = [value.name for value in outputs if value.type == type_ and len(value.shape) == rank]
        if role in fitting:
            found.append(role)
        elif len(fitting) == 1:
            found.append(fitting[0])
        else:
            types = ", ".join(f"{value.name}: {value.type} {value.shape}" for value in outputs)
            raise DetectorError(
                f"{name} must give boxes (float32 [N, 4]), labels (int64 [N]) and scores (float32 [N]), as "
                f"torchvision's detectors do; it gives {types}"
            )
    return found
