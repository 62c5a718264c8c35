"""The bundle's ONNX graph: pixels in, scores and tags out, made by torch and compared with the checkpoint."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.data.photo import BadPhoto
from tagger.data.skipped import Skipped
from tagger.data.transforms import EvalTransform
from tagger.errors import UserError
from tagger.tags.chain import Chain, Completed
from tagger.tags.runtime import Scored, Tagger

# The exporter's own; onnxruntime runs it since 1.14 (2023).
OPSET = 18

TOLERANCE = 1e-4
"""Most that a score of the graph may differ from the checkpoint's; float32 sums in another order differ by 1e-6."""

NOISE_TOLERANCE = 1e-3
"""The same on random pixels, which drive a network further than photos do: a logit of −11 differs there by 0.001, and
where a detector's certainty lifts such a score to 0.8, so does the score."""


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

    def forward(self, pixels: Tensor, detected: Tensor | None = None) -> Completed:
        return self.chain(self.images(pixels), detected)


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
    # Every norm and split that it leaves as it is.
    logging.getLogger("onnxscript.optimizer").setLevel(logging.ERROR)
    # Of two photos: an example of one would be taken for a constant.
    examples = {"pixels": torch.zeros((2, size, size, 3), dtype=torch.uint8)}
    if chain.looks:
        examples["detected"] = torch.zeros((2, len(chain.thresholds)))
    photos = torch.export.Dim("photos")
    with warnings.catch_warnings():
        # The exporter's own use of what torch deprecates.
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                Delivered(chain).eval(),
                tuple(examples.values()),
                dynamo=True,
                input_names=list(examples),
                output_names=list(Completed._fields),
                dynamic_shapes={name: {0: photos} for name in examples},
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
    """Largest difference of a score on them."""
    noise: float
    """Largest difference of a score on random pixels."""


def compare(tagger: Tagger, chain: Chain, photos: Sequence[str], skipped: Skipped | None = None) -> Comparison:
    """Compare scores and tags of a graph with the checkpoint's, on random pixels in batches of 1 to 3, and on photos.

    Photos that cannot be read are counted in ``skipped``.

    Raises:
        GraphError: If a score differs by more than ``TOLERANCE`` on a photo or ``NOISE_TOLERANCE`` on random pixels,
            or a tag whose score is further from its threshold.
    """
    size = tagger.framing.size
    rng = np.random.default_rng(0)
    noise, largest, compared = 0.0, 0.0, 0
    for count in (1, 2, 3):
        pixels = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        images = Delivered(chain).images(torch.from_numpy(pixels))
        detected = rng.random((count, len(tagger.labels)), dtype=np.float32) if chain.looks else None
        found = tagger.run(pixels, detected)
        difference = _difference(found, chain, images, detected, what="random pixels", tolerance=NOISE_TOLERANCE)
        noise = max(noise, difference)
    transform = EvalTransform(**tagger.framing.recipe())
    skipped = skipped or Skipped()
    skipped.of = len(photos)
    for photo in photos:
        try:
            images = transform(photo)[None]
        except BadPhoto as error:
            skipped.add_photo(photo, str(error))
            continue
        detected = None if tagger.detecting is None else tagger.detecting.detections(photo)[None]
        found = tagger.run(tagger.pixels(photo)[None], detected)
        largest = max(largest, _difference(found, chain, images, detected, what=photo))
        compared += 1
    return Comparison(compared, largest, noise)


def _difference(
    found: Scored,
    chain: Chain,
    images: Tensor,
    detected: NDArray[np.float32] | None,
    *,
    what: str,
    tolerance: float = TOLERANCE,
) -> float:
    with torch.inference_mode():
        expected = chain(images, None if detected is None else torch.from_numpy(detected))
    difference = float((torch.from_numpy(found.scores) - expected.scores).abs().max())
    # Not `>`: a NaN is no agreement.
    if not difference <= tolerance:
        raise GraphError(f"the graph's scores differ from the checkpoint's by {difference:.2g} on {what}")
    near = (expected.scores - chain.thresholds).abs() <= tolerance
    if bool(((torch.from_numpy(found.tags) != expected.tags) & ~near).any()):
        raise GraphError(f"the graph gives other tags than the checkpoint on {what}")
    return difference
