"""A detector that looks at the photos of a data set for a training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import Taxonomy
from tagger.tags.detector.cache import Detections, highest_scores
from tagger.tags.detector.mapping import ClassMap
from tagger.tags.detector.onnx_detector import CLEAR, OnnxDetector
from tagger.tags.detector.picture import Undistorted
from tagger.tags.detector.settings import DetectorSettings, NoDetector


@dataclass(frozen=True, eq=False)
class DataDetector:
    """A detector with what its classes mean."""

    settings: DetectorSettings
    detector: OnnxDetector
    model: bytes
    """Its ONNX graph, which a run keeps beside its checkpoints as ``detector.onnx``."""
    map: ClassMap

    @classmethod
    def open(cls, settings: DetectorSettings | NoDetector, taxonomy: Taxonomy, *, cache: Path) -> "DataDetector | None":
        """Return the configured detector, ready to look; None where there is none.

        Raises:
            UserError: If it cannot be had or used, or none of its classes means a label.
        """
        if isinstance(settings, NoDetector):
            return None
        detector, model = settings.opened(cache / "detectors")
        map_ = ClassMap.of(detector.classes, taxonomy, vocabulary=settings.vocabulary)
        return cls(settings, detector, model, map_)

    def look(self, data: PhotoData) -> dict[str, int]:
        """Look at the photos that validate and test; their batches say from now on what was seen.

        Training photos are not looked at: nothing is learnt from them.

        Returns:
            The classes that mean no label, and on how many photos each was clearly seen, the most first.
        """
        rows = np.sort(np.concatenate([data.val_rows, data.test_rows]))
        framing = Undistorted(long_side=self.settings.long_side, max_pixels=data.max_pixels)
        highest = highest_scores(
            self.detector, framing, data.catalog, rows, folder=data.cache / "detections", workers=data.workers
        )
        data.detected = Detections(rows, highest, self.map, self.settings.floor).of
        return self._without_label(highest)

    def as_recipe(self) -> dict[str, Any]:
        """Return all that a checkpoint must say of it, as plain values; how it is fused is the module's to say."""
        return {
            "sha256": self.detector.sha256,
            "classes": list(self.detector.classes),
            "vocabulary": self.settings.vocabulary,
            "labels": self.map.as_recipe(self.detector.classes),
            "long_side": self.settings.long_side,
        }

    def _without_label(self, highest: np.ndarray) -> dict[str, int]:
        photos = (highest >= CLEAR).sum(axis=0).tolist()
        counts = dict(zip(self.detector.classes, photos, strict=True))
        unmapped = self.map.unmapped(self.detector.classes)
        return {name: counts[name] for name in sorted(unmapped, key=lambda name: -counts[name])}
