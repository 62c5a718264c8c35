"""torchvision's SSD300 and SSDlite as ONNX graphs of the signature that every detector here has.

They are exported when they are first needed and from then on are detectors like any other: what they see in training is
what they see in a bundle, by the same code. torch's older exporter does it (``dynamo=False``): the newer one, of torch
2.14, refuses torchvision's detectors with a GuardOnDataDependentSymNode, because how many boxes are left after each
class's non-maximum suppression depends on the photo.
"""

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.atomic import written_whole
from tagger.tags.detector.onnx_detector import DetectorError

if TYPE_CHECKING:
    from torch import nn

ARCHITECTURES = {"ssd300": "ssd300_vgg16", "ssdlite": "ssdlite320_mobilenet_v3_large"}
"""What we call them, and what torchvision does."""

OPSET = 18


def build_torchvision(architecture: str, *, weights: str | None, classes: Sequence[str], floor: float) -> "nn.Module":
    """Return a torchvision detector in evaluation mode.

    Args:
        architecture: ``ssd300`` or ``ssdlite``.
        weights: ``hub`` (downloads those trained on COCO), a path of a ``.pth`` or ``.safetensors`` file, or None for
            a random start.
        classes: Names of its classes, the background's at 0.
        floor: Boxes of a lower score are not given.

    Raises:
        DetectorError: If the name is unknown, or the weights cannot be had or do not fit.
    """
    if architecture not in ARCHITECTURES:
        raise DetectorError(f"no detector {architecture!r}; there are {', '.join(ARCHITECTURES)}, and any as ONNX")
    # Not above: a bundle's runtime has neither.
    import torchvision

    settings: dict[str, Any] = (
        {"weights": "DEFAULT"} if weights == "hub" else {"weights": None, "num_classes": len(classes)}
    )
    try:
        model = torchvision.models.get_model(
            ARCHITECTURES[architecture], weights_backbone=None, score_thresh=floor, **settings
        )
    except Exception as error:  # no network, an interrupted download, a disk that is full
        if weights != "hub":
            raise DetectorError(f"no detector {architecture!r}: {type(error).__name__}: {error}") from error
        raise DetectorError(
            f"the model hub gave no weights for {architecture!r} ({type(error).__name__}: {error}). Without a network: "
            "detector.weights=<file.pth> takes them from a file, detector=onnx detector.path=<file.onnx> takes any "
            "detector that was exported to ONNX, detector=none does without"
        ) from error
    if weights not in (None, "hub"):
        _load_file(model, Path(str(weights)).expanduser(), architecture)
    return model.eval()


def to_onnx(detector: "nn.Module") -> bytes:
    """Return a torchvision detector as an ONNX graph: ``image`` in; ``boxes``, ``labels`` and ``scores`` out.

    Raises:
        DetectorError: If torch cannot export it.
    """
    import torch
    from torch import Tensor, nn

    try:
        import onnx  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise DetectorError("torchvision's detectors run as ONNX, which needs: pip install tagger[export]") from error

    class OnePhoto(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.detector = detector

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            (found,) = self.detector([image])
            return found["boxes"], found["labels"], found["scores"]

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # That the exporter is the older one, and each tensor of torchvision's that it takes for a constant.
        warnings.simplefilter("ignore")
        path = Path(folder) / "detector.onnx"
        level = logging.getLogger("torch.onnx").level
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            torch.onnx.export(
                OnePhoto().eval(),
                (torch.rand(3, 240, 320, generator=torch.Generator().manual_seed(0)),),
                str(path),
                dynamo=False,
                input_names=["image"],
                output_names=["boxes", "labels", "scores"],
                dynamic_axes={
                    "image": {1: "height", 2: "width"},
                    **{n: {0: "objects"} for n in ("boxes", "labels", "scores")},
                },
                opset_version=OPSET,
            )
        except Exception as error:
            raise DetectorError(f"torch cannot export the detector to ONNX: {type(error).__name__}: {error}") from error
        finally:
            logging.getLogger("torch.onnx").setLevel(level)
        return path.read_bytes()


def exported(architecture: str, *, weights: str | None, classes: Sequence[str], floor: float, folder: Path) -> bytes:
    """Return the ONNX graph of a torchvision detector, kept in a folder once it has been made.

    Raises:
        DetectorError: As `build_torchvision` and `to_onnx` do.
    """
    detector = build_torchvision(architecture, weights=weights, classes=classes, floor=floor)
    path = folder / f"{architecture}-{_digest(detector, floor)}.onnx"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        model = to_onnx(detector)
        with written_whole(path) as file:
            file.write(model)
    return path.read_bytes()


def _digest(detector: "nn.Module", floor: float) -> str:
    digest = hashlib.sha256(repr((OPSET, floor)).encode())
    for name, tensor in detector.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _load_file(model: "nn.Module", path: Path, architecture: str) -> None:
    import torch

    if not path.is_file():
        raise DetectorError(
            f"detector.weights: {path} does not exist; give a .pth or .safetensors file, 'hub' (downloads) or null"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a file that is no weights fails in its own way
        raise DetectorError(
            f"{path} holds no weights that can be read: {type(error).__name__}: {error!s:.300}"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    wanted = model.state_dict()
    differing = [key for key in wanted if key not in state or state[key].shape != wanted[key].shape]
    if differing:
        raise DetectorError(
            f"{path} does not fit {architecture!r} with {len(wanted)} tensors: {len(differing)} differ, e.g. "
            f"{differing[0]!r}; detector.classes must name as many as it was trained for, the background included"
        )
    model.load_state_dict({key: state[key] for key in wanted})
