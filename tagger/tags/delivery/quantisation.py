"""The graph in eight-bit integers: a third of the size, faster where the processor multiplies them, and less exact.

Static quantisation (Jacob et al. 2018, "Quantization and training of neural networks for efficient
integer-arithmetic-only inference"): the ranges of activations are seen on photos. Convolutions and matrix products are
quantised, but for those where little is won and much is lost: the first one, which sees the pixels, and those of one
channel each (docs/deliver.md). Sigmoid, relations and thresholds stay as they are.
"""

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tagger.tags.delivery.graph import GraphError

QUANTISED = ["Conv", "Gemm", "MatMul"]

THRESHOLDS = "chain.thresholds"
"""Name of the thresholds in a graph that `tagger.tags.delivery.graph.build_graph` made."""


def quantised(model: bytes, inputs: Iterable[Mapping[str, Any]]) -> bytes:
    """Return a graph that computes in eight-bit integers.

    Args:
        model: A graph of ``build_graph``.
        inputs: Photos to see the ranges on, in batches as `Tagger.inputs` gives them; a hundred photos are enough.

    Raises:
        GraphError: If onnxruntime's quantiser or onnx is missing, or refuses the graph.
    """
    try:
        import onnx
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise GraphError(f"int8 needs {error.name}: pip install tagger[export]") from error

    class Photos(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = iter(inputs)

        def get_next(self) -> Mapping[str, Any] | None:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        whole, prepared, small = (Path(folder) / f"{name}.onnx" for name in ("whole", "prepared", "small"))
        whole.write_bytes(model)
        # A line for every channel whose scale is widened; what is wrong is raised.
        logging.disable(logging.WARNING)
        try:
            # Symbolic shapes give up on the relations; the convolutions do not need them.
            quant_pre_process(str(whole), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(small),
                Photos(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=QUANTISED,
                nodes_to_exclude=_delicate(onnx.load(str(prepared), load_external_data=False).graph.node),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
            onnx.checker.check_model(str(small))
        except Exception as error:
            raise GraphError(f"the graph cannot be quantised: {type(error).__name__}: {error}") from error
        finally:
            logging.disable(logging.NOTSET)
        return small.read_bytes()


def _delicate(nodes: Sequence[Any]) -> list[str]:
    """Return the names of the convolutions that stay as they are: the first, and depthwise ones."""
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    depthwise = [
        node.name
        for node in convolutions
        if any(setting.name == "group" and setting.i > 1 for setting in node.attribute)
    ]
    return [node.name for node in convolutions[:1]] + depthwise


def with_thresholds(model: bytes, thresholds: Tensor) -> bytes:
    """Return a graph with other thresholds inside.

    Raises:
        GraphError: If it is none of ``build_graph``'s.
    """
    import onnx

    graph = onnx.load_from_string(model)
    places = [tensor for tensor in graph.graph.initializer if tensor.name == THRESHOLDS]
    if len(places) != 1 or list(places[0].dims) != list(thresholds.shape):
        raise GraphError(f"the graph has no {len(thresholds)} thresholds named {THRESHOLDS}")
    places[0].CopyFrom(onnx.numpy_helper.from_array(thresholds.numpy().astype(np.float32), THRESHOLDS))
    return graph.SerializeToString()
