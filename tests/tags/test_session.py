"""Whoever made a graph: opening it and one photo end, in bounds of time and memory, and what comes out are scores."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tagger import Tagger
from tagger.errors import UserError
from tagger.tags.delivery.bundle import BundleError, read_bundle, write_bundle
from tagger.tags.detector.onnx_detector import DetectorError, OnnxDetector
from tagger.tags.session import MEMORY, SECONDS, open_session

LABELS = 4

Constants = dict[str, Any]


def graph(nodes: list[onnx.NodeProto], constants: Constants, *, size: int = 64) -> bytes:
    """A graph of a bundle of four labels: pixels in; scores, tags and origins out, which the nodes make."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["photos", size, size, 3])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("tags", TensorProto.BOOL, None),
            helper.make_tensor_value_info("origins", TensorProto.INT64, None),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def scoring(value: float = 0.5, *, first: float | None = None, origin: int = 0) -> bytes:
    """Every photo gets one score for all labels; a photo with a white corner another one."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats", "sides"], ["brightest"], keepdims=0),
        helper.make_node("Unsqueeze", ["brightest", "one"], ["column"]),
        helper.make_node("Greater", ["column", "grey"], ["white"]),
        helper.make_node("Where", ["white", "first", "value"], ["scored"]),
        helper.make_node("Greater", ["scored", "half"], ["tags"]),
        helper.make_node("Cast", ["white"], ["zeros"], to=TensorProto.INT64),
        helper.make_node("Mul", ["zeros", "none"], ["nothing"]),
        helper.make_node("Add", ["nothing", "origin"], ["origins"]),
        helper.make_node("Identity", ["scored"], ["scores"]),
    ]
    row = np.ones((1, LABELS), np.float32)
    return graph(
        nodes,
        {
            "sides": np.array([1, 2, 3]),
            "one": np.array([1]),
            "grey": np.float32(200),
            "value": row * np.float32(value),
            "first": row * np.float32(value if first is None else first),
            "half": np.float32(0.5),
            "none": np.int64(0),
            "origin": np.full((1, LABELS), origin),
        },
    )


def endless(*, output: str = "scores") -> list[onnx.NodeProto]:
    """A loop whose condition stays true."""
    body = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}'"]) for name in ("go", "value")],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go'", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value'", TensorProto.FLOAT, None),
        ],
    )
    return [helper.make_node("Loop", ["", "true", "scored"], [output], body=body)]


@pytest.fixture
def loaded(delivered: Path, tmp_path: Path) -> Callable[[bytes], Tagger]:
    """Return a function that loads a bundle with this graph."""
    read = read_bundle(delivered / "album.tagger")

    def load(model: bytes) -> Tagger:
        write_bundle(tmp_path / "other.tagger", read.manifest, model=model, card="")
        return Tagger.load(tmp_path / "other.tagger")

    return load


def test_a_graph_of_the_right_shape_is_opened(loaded: Callable[[bytes], Tagger]) -> None:
    tagger = loaded(scoring(0.75))
    assert tagger.run(np.zeros((3, 64, 64, 3), np.uint8)).scores.tolist() == [[0.75] * LABELS] * 3


@pytest.mark.parametrize(
    ("value", "told"), [(1.5, "from 1.5 to 1.5"), (-0.1, r"from -0.1 to -0.1"), (float("nan"), "from nan to nan")]
)
def test_scores_that_are_none_are_refused(loaded: Callable[[bytes], Tagger], value: float, told: str) -> None:
    with pytest.raises(BundleError, match=rf"other\.tagger: model\.onnx gives scores {told}, not in \[0, 1\]"):
        loaded(scoring(value))
    # Of the black photo at loading they are right.
    tagger, white = loaded(scoring(first=value)), np.full((1, 64, 64, 3), 255, np.uint8)
    with pytest.raises(BundleError, match=f"scores {told}"):
        tagger.run(white)


def test_a_score_that_comes_from_no_label_is_refused(loaded: Callable[[bytes], Tagger]) -> None:
    for origin in (LABELS, -2):
        with pytest.raises(BundleError, match=f"scores come from labels {origin} to {origin}"):
            loaded(scoring(origin=origin))


def test_a_graph_that_gives_one_row_for_many_photos_is_refused(loaded: Callable[[bytes], Tagger]) -> None:
    constant = [
        helper.make_node("Identity", ["row"], ["scores"]),
        helper.make_node("Greater", ["row", "row"], ["tags"]),
        helper.make_node("Identity", ["zeros"], ["origins"]),
    ]
    tagger = loaded(graph(constant, {"row": np.full((1, 4), 0.5, np.float32), "zeros": np.zeros((1, 4), np.int64)}))
    with pytest.raises(
        BundleError, match=r"scores of shape \(1, 4\), the manifest has 4 labels, and there are 2 photos"
    ):
        tagger.run(np.zeros((2, 64, 64, 3), np.uint8))


def test_an_endless_loop_is_no_part_of_a_network(loaded: Callable[[bytes], Tagger]) -> None:
    nodes = [helper.make_node("Identity", ["row"], ["scored"]), *endless()]
    with pytest.raises(BundleError, match=r"an operator holds a graph of its own"):
        loaded(graph(nodes, {"row": np.full((1, 4), 0.5, np.float32), "true": np.bool_(True)}))


def test_a_detector_that_never_ends_is_stopped(
    colour_detector: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "1")
    model = onnx.load_from_string(colour_detector())
    (last,) = [node for node in model.graph.node if node.output[0] == "scores"]
    last.output[0] = "scored"
    model.graph.node.extend(endless())
    model.graph.initializer.append(numpy_helper.from_array(np.bool_(True), "true"))
    before, started = threading.active_count(), time.monotonic()
    with pytest.raises(DetectorError, match=r"did not end within [\d.]+ s; TAGGER_GRAPH_SECONDS=60 gives it longer"):
        OnnxDetector(model.SerializeToString(), ["", "red", "green", "blue"])
    assert time.monotonic() - started < 10
    while threading.active_count() > before:
        # It was told to stop between two of its operators, and does.
        assert time.monotonic() - started < 20
        time.sleep(0.01)


HUGE = [
    pytest.param(["ConstantOfShape"], {"huge": [10**12]}, id="at once"),
    pytest.param(["ConstantOfShape"], {"huge": [60_000, 60_000]}, id="as large as this machine may have"),
]


@pytest.mark.parametrize(("operators", "constants"), HUGE)
def test_a_graph_that_takes_all_memory_is_refused(operators: list[str], constants: Constants) -> None:
    nodes = [helper.make_node(operators[0], ["huge"], ["made"]), helper.make_node("Neg", ["made"], ["scores"])]
    made = helper.make_graph(
        nodes,
        "g",
        [],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(constants["huge"]), "huge")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(ValueError, match=r"it takes more than 4 GiB; TAGGER_GRAPH_GIB=16 allows more"):
        open_session(model.SerializeToString(), threads=1).run(None, {})


def test_a_bound_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "soon")
    with pytest.raises(UserError, match="TAGGER_GRAPH_SECONDS=soon must be a number above 0"):
        open_session(scoring(), threads=1)
    assert MEMORY not in os.environ


def test_what_begins_like_onnxruntimes_own_format_is_read_as_onnx_all_the_same() -> None:
    # Four bytes of any field, then the letters by which onnxruntime knows its format: to protobuf a short text.
    polyglot = b"\x12\x08\x10\x00ORTM\x00\x00" + scoring()
    session = open_session(polyglot, threads=1)
    assert [value.name for value in session.outputs] == ["scores", "tags", "origins"]
