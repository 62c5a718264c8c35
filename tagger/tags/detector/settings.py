"""The configuration group ``detector``: which detector looks at the photos, and how what it sees is used."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tagger.errors import UserError
from tagger.tags.detector.choosing import Choosing
from tagger.tags.detector.classes import class_names
from tagger.tags.detector.onnx_detector import MAX_BYTES, DetectorError, OnnxDetector
from tagger.tags.detector.picture import Undistorted
from tagger.tags.detector.torchvision_detector import exported


class NoDetector:
    """Scores are those of the network alone."""


@dataclass(frozen=True, kw_only=True)
class DetectorSettings(Choosing, ABC):
    """What all detectors share.

    Args:
        classes: ``coco91`` (person is 1), ``coco80`` (person is 0), or the names of the classes, each at the place of
            its number.
        vocabulary: Whose names these are: under ``sources`` the label system says what they mean.
        long_side: Photos are made smaller where a side is longer, in pixels: it bounds memory.
    """

    classes: str | Sequence[str] = "coco91"
    vocabulary: str = "coco"
    long_side: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        class_names(self.classes)
        Undistorted(long_side=self.long_side)

    @abstractmethod
    def model(self, cache: Path) -> bytes:
        """Return the ONNX graph; what had to be made for it is kept in a folder."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it."""

    def opened(self, cache: Path) -> tuple[OnnxDetector, bytes]:
        """Return the detector, ready to look at pictures, and its ONNX graph.

        Raises:
            UserError: If it cannot be had or used.
        """
        model = self.model(cache)
        return OnnxDetector(model, class_names(self.classes), name=self.name), model


@dataclass(frozen=True, kw_only=True)
class OnnxFile(DetectorSettings):
    """Any detector exported to ONNX with torchvision's signature.

    Args:
        path: The file.
    """

    path: str | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    def model(self, cache: Path) -> bytes:
        if self.path is None:
            raise UserError("detector.path=… must be given: an ONNX file, as torchvision's detectors are exported")
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise DetectorError(f"detector.path: {path} does not exist; give a detector that was exported to ONNX")
        if path.stat().st_size >= MAX_BYTES:
            raise DetectorError(
                f"detector.path: {path} has {path.stat().st_size:,} bytes; an ONNX file has at most 2 GB"
            )
        return path.read_bytes()


@dataclass(frozen=True, kw_only=True)
class TorchvisionDetector(DetectorSettings):
    """torchvision's SSD300 or SSDlite.

    Args:
        architecture: ``ssd300`` or ``ssdlite``.
        weights: ``hub`` (downloads those trained on COCO), a path of a file, or None for a random start.
    """

    architecture: str
    weights: str | None = "hub"

    @property
    def name(self) -> str:
        return self.architecture

    def model(self, cache: Path) -> bytes:
        classes = class_names(self.classes)
        return exported(self.architecture, weights=self.weights, classes=classes, floor=self.floor, folder=cache)
