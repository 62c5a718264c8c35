"""A detector as a checkpoint or a bundle describes it: photo in, highest score of every label out, without torch.

detecting = Detecting.from_recipe(recipe["detector"], labels, Path("detector.onnx").read_bytes())
detected = np.stack([detecting.detections(photo) for photo in photos])
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.data.photo import MAX_PIXELS, PhotoFile
from tagger.tags.detector.mapping import ClassMap
from tagger.tags.detector.onnx_detector import DetectorError, OnnxDetector
from tagger.tags.detector.picture import Undistorted


@dataclass(frozen=True, eq=False)
class Detecting:
    """All that it takes to look at a photo."""

    detector: OnnxDetector
    framing: Undistorted
    """From a photo to the picture that the detector sees; it may do so in other processes."""
    map: ClassMap
    floor: float

    @classmethod
    def from_recipe(
        cls,
        recipe: Mapping[str, Any],
        labels: Sequence[str],
        model: bytes,
        *,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> "Detecting":
        """Build it of plain values.

        Args:
            recipe: ``sha256`` of the model, ``classes``, ``labels`` (ids by the name of the class), ``long_side`` and
                ``floor``; what else is in it is not for here.
            labels: Ids in column order.
            model: The ONNX graph.
            threads: Threads it computes with; None takes as many as there are cores.
            max_pixels: Photos that declare more are refused.

        Raises:
            DetectorError: If the model is another one or cannot be used.
        """
        found = hashlib.sha256(model).hexdigest()
        if found != recipe["sha256"]:
            raise DetectorError(f"the detector is another one: its sha256 is {found}, expected {recipe['sha256']}")
        return cls(
            OnnxDetector(model, recipe["classes"], threads=threads),
            Undistorted(long_side=recipe["long_side"], max_pixels=max_pixels),
            ClassMap.from_recipe(labels, recipe["classes"], recipe["labels"]),
            recipe["floor"],
        )

    def detections(self, photo: PhotoFile) -> NDArray[np.float32]:
        """Return the highest score of every label on a photo, 0 where there is none, (labels,).

        Raises:
            BadPhoto: If it cannot be read.
        """
        return self.on(np.asarray(self.framing.framed(photo)))

    def on(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the same of a photo that has been framed, (height, width, 3)."""
        return self.map.to_labels(self.detector.highest(pixels)[None], floor=self.floor)[0]
