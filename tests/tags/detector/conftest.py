"""Detectors to test with: one that is written node by node and sees colours, and the real one where it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def colour_detector() -> Callable[..., bytes]:
    """Write a detector as ONNX: three objects as large as a pixel, whose scores are the means of the three channels."""

    def make(
        numbers: tuple[int, ...] = (1, 2, 3),
        *,
        factor: float = 1.0,
        image: tuple[Any, ...] = (3, "height", "width"),
        outputs: tuple[str, ...] = ("boxes", "labels", "scores"),
        number_type: int = TensorProto.INT64,
    ) -> bytes:
        names = dict(zip(("boxes", "labels", "scores"), outputs, strict=False))
        kinds = {
            "boxes": (TensorProto.FLOAT, ["N", 4]),
            "labels": (number_type, ["N"]),
            "scores": (TensorProto.FLOAT, ["N"]),
        }
        number_array = np.array(numbers, helper.tensor_dtype_to_np_dtype(number_type))
        nodes = [
            helper.make_node("ReduceMean", ["image", "sides"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "factor"], [names.get("scores", "unsaid")]),
            helper.make_node("Identity", ["corners"], [names.get("boxes", "unsaid boxes")]),
            helper.make_node("Identity", ["numbers"], [names.get("labels", "unsaid labels")]),
        ]
        constants = {
            "sides": np.array([1, 2]),
            "factor": np.array(factor, np.float32),
            "corners": np.tile(np.array([0, 0, 1, 1], np.float32), (len(numbers), 1)),
            "numbers": number_array,
        }
        graph = helper.make_graph(
            nodes,
            "colours",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
            [helper.make_tensor_value_info(name, *kinds[role]) for role, name in names.items()],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content

    return make


@pytest.fixture
def real_detector(real_photos: Path) -> Path:
    """A detector of COCO's classes, beside the real photos."""
    path = real_photos.parent / "models" / "nanodet_coco.onnx"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return path
