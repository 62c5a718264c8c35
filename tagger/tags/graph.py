"""The bundle's ONNX graph: pixels in, scores and tags out, made by torch and compared with the checkpoint's network."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tagger.data.photo import BadPhoto
from tagger.data.transforms import EvalTransform
from tagger.errors import UserError
from tagger.model.network import Network
from tagger.tags.runtime import Scored, Tagger

# The exporter's own; onnxruntime runs it since 1.14 (2023).
OPSET = 18

TOLERANCE = 1e-4
"""Most that a score of the graph may differ from the checkpoint's; float32 sums in another order differ by 1e-6."""


class GraphError(UserError):
    """The graph cannot be made, or does not do what the checkpoint does."""


class Delivered(nn.Module):
    """Framed photos (photos, size, size, 3), uint8, to ``scores`` and ``tags``, both (photos, labels)."""

    mean: Tensor
    std: Tensor
    thresholds: Tensor

    def __init__(self, network: Network, thresholds: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(network.normalisation.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(network.normalisation.std)[:, None, None])
        self.register_buffer("thresholds", thresholds.float())

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        # The same steps as EvalTransform.to_tensor, which training sees.
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        scores = self.network(images).sigmoid()
        return scores, scores >= self.thresholds


def build_graph(network: Network, thresholds: Tensor, *, size: int) -> bytes:
    """Return the ONNX graph of a network and its thresholds, with all weights inside, checked by onnx.

    Raises:
        GraphError: If a package is missing, or torch or onnx refuses the network.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise GraphError(f"exporting needs {error.name}: pip install tagger[export]") from error
    for name in ("onnxscript", "onnx_ir"):
        # Every rewrite of every node otherwise.
        logging.getLogger(name).setLevel(logging.WARNING)
    # Of two photos: an example of one would be taken for a constant.
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The exporter's own use of what torch deprecates.
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                Delivered(network, thresholds).eval(),
                (example,),
                dynamo=True,
                input_names=["pixels"],
                output_names=["scores", "tags"],
                dynamic_shapes={"pixels": {0: torch.export.Dim("photos")}},
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
            assert program is not None
            model = program.model_proto
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:
            raise GraphError(f"the network cannot be exported to ONNX: {type(error).__name__}: {error}") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets.get("") != OPSET:
        raise GraphError(f"the exporter wrote opset {opsets} instead of {OPSET}")
    return model.SerializeToString()


@dataclass(frozen=True)
class Comparison:
    """How far the graph is from the checkpoint."""

    photos: int
    """Real photos that were compared."""
    largest: float
    """Largest difference of a score, over random pixels and real photos."""


def compare(tagger: Tagger, network: Network, thresholds: Tensor, photos: Sequence[str]) -> Comparison:
    """Compare scores and tags of a graph with the network's, on random pixels in batches of 1 to 3, and on photos.

    Raises:
        GraphError: If a score differs by more than ``TOLERANCE``, or a tag whose score is further from its threshold.
    """
    size = tagger.framing.size
    rng = np.random.default_rng(0)
    largest, compared = 0.0, 0
    for count in (1, 2, 3):
        pixels = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - _column(network.normalisation.mean)) / (
            _column(network.normalisation.std)
        )
        largest = max(largest, _difference(tagger.run(pixels), network, images, thresholds, what="random pixels"))
    transform = EvalTransform(**tagger.framing.recipe())
    for photo in photos:
        try:
            images = transform(photo)[None]
        except BadPhoto:
            continue
        found = tagger.run(tagger.pixels(photo)[None])
        largest = max(largest, _difference(found, network, images, thresholds, what=photo))
        compared += 1
    return Comparison(compared, largest)


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values)[:, None, None]


def _difference(found: Scored, network: Network, images: Tensor, thresholds: Tensor, *, what: str) -> float:
    with torch.inference_mode():
        expected = network(images).sigmoid()
    difference = float((torch.from_numpy(found.scores) - expected).abs().max())
    # Not `>`: a NaN is no agreement.
    if not difference <= TOLERANCE:
        raise GraphError(f"the graph's scores differ from the checkpoint's by {difference:.2g} on {what}")
    tags = expected >= thresholds
    near = (expected - thresholds).abs() <= TOLERANCE
    if bool(((torch.from_numpy(found.tags) != tags) & ~near).any()):
        raise GraphError(f"the graph gives other tags than the checkpoint on {what}")
    return difference
