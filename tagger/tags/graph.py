"""The bundle's ONNX graph: pixels in, scores and tags out, made by torch and compared with the checkpoint."""

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
from tagger.tags.chain import Chain, Completed
from tagger.tags.runtime import Scored, Tagger

# The exporter's own; onnxruntime runs it since 1.14 (2023).
OPSET = 18

TOLERANCE = 1e-4
"""Most that a score of the graph may differ from the checkpoint's; float32 sums in another order differ by 1e-6."""


class GraphError(UserError):
    """The graph cannot be made, or does not do what the checkpoint does."""


class Delivered(nn.Module):
    """Framed photos (photos, size, size, 3), uint8, to what the chain says of them."""

    mean: Tensor
    std: Tensor

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain
        normalisation = chain.network.normalisation
        self.register_buffer("mean", torch.tensor(normalisation.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(normalisation.std)[:, None, None])

    def images(self, pixels: Tensor) -> Tensor:
        """Return what the network sees, by the same steps as EvalTransform.to_tensor, which training sees."""
        return (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std

    def forward(self, pixels: Tensor) -> Completed:
        return self.chain(self.images(pixels))


def build_graph(chain: Chain, *, size: int) -> bytes:
    """Return the ONNX graph of a chain, with all weights inside, checked by onnx.

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
                Delivered(chain).eval(),
                (example,),
                dynamo=True,
                input_names=["pixels"],
                output_names=list(Completed._fields),
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


def compare(tagger: Tagger, chain: Chain, photos: Sequence[str]) -> Comparison:
    """Compare scores and tags of a graph with the checkpoint's, on random pixels in batches of 1 to 3, and on photos.

    Raises:
        GraphError: If a score differs by more than ``TOLERANCE``, or a tag whose score is further from its threshold.
    """
    size = tagger.framing.size
    rng = np.random.default_rng(0)
    largest, compared = 0.0, 0
    for count in (1, 2, 3):
        pixels = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        images = Delivered(chain).images(torch.from_numpy(pixels))
        largest = max(largest, _difference(tagger.run(pixels), chain, images, what="random pixels"))
    transform = EvalTransform(**tagger.framing.recipe())
    for photo in photos:
        try:
            images = transform(photo)[None]
        except BadPhoto:
            continue
        found = tagger.run(tagger.pixels(photo)[None])
        largest = max(largest, _difference(found, chain, images, what=photo))
        compared += 1
    return Comparison(compared, largest)


def _difference(found: Scored, chain: Chain, images: Tensor, *, what: str) -> float:
    with torch.inference_mode():
        expected = chain(images)
    difference = float((torch.from_numpy(found.scores) - expected.scores).abs().max())
    # Not `>`: a NaN is no agreement.
    if not difference <= TOLERANCE:
        raise GraphError(f"the graph's scores differ from the checkpoint's by {difference:.2g} on {what}")
    near = (expected.scores - chain.thresholds).abs() <= TOLERANCE
    if bool(((torch.from_numpy(found.tags) != expected.tags) & ~near).any()):
        raise GraphError(f"the graph gives other tags than the checkpoint on {what}")
    return difference
