"""An ONNX file is parsed as onnx parses it, and what could read a file or never end is refused wherever it hides."""

from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tagger.tags.onnx_file import BYTES, FIXED32, FIXED64, MESSAGES, REFUSED, VARINT, OnnxFileError, check_onnx

WRITTEN = {
    FieldDescriptor.TYPE_INT64: VARINT,
    FieldDescriptor.TYPE_INT32: VARINT,
    FieldDescriptor.TYPE_UINT64: VARINT,
    FieldDescriptor.TYPE_ENUM: VARINT,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_STRING: BYTES,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_MESSAGE: BYTES,
}


def tensor(name: str = "w") -> TensorProto:
    return numpy_helper.from_array(np.ones(2, np.float32), name)


def elsewhere(name: str = "w") -> TensorProto:
    """Weights in a file below the working directory."""
    proto = TensorProto(name=name, dims=[2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    proto.external_data.add(key="location", value="canary")
    return proto


def graph_of(*nodes: onnx.NodeProto, weights: TensorProto | None = None) -> onnx.GraphProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("a", "b")]
    own = nodes or (helper.make_node("Add", ["a", "w"], ["b"]),)
    return helper.make_graph(list(own), "g", values[:1], values[1:], [weights or tensor()])


def model_of(graph: onnx.GraphProto, **settings: object) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **settings)


def branch(inner: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("If", ["c"], ["b"], then_branch=inner, else_branch=graph_of())


def sparse(values: TensorProto) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.arange(2), "i"), [4])


def function(*nodes: onnx.NodeProto) -> onnx.FunctionProto:
    return helper.make_function("own", "F", ["a"], ["b"], list(nodes), [helper.make_opsetid("", 18)])


def refused(model: onnx.ModelProto | bytes, *, why: str, control_flow: bool = True) -> None:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(OnnxFileError, match=why):
        check_onnx(content, control_flow=control_flow)


def test_the_tables_are_the_messages_of_onnx() -> None:
    for kind, fields in MESSAGES.items():
        known = {field.number: field for field in getattr(onnx, kind).DESCRIPTOR.fields}
        assert {number: name for number, (name, _) in fields.items()} == {n: f.name for n, f in known.items()}, kind
        for number, (name, field) in fields.items():
            own, written = known[number], WRITTEN[known[number].type]
            if isinstance(field, str):
                assert own.message_type.name == field, name
            elif field is not REFUSED:
                packable = own.is_repeated and written != BYTES
                assert field == ({written, BYTES} if packable else {written}), name


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(lambda: model_of(graph_of(weights=elsewhere())), id="an initializer"),
        pytest.param(
            lambda: model_of(graph_of(helper.make_node("Constant", [], ["b"], value=elsewhere()))), id="a constant"
        ),
        pytest.param(
            lambda: model_of(graph_of(helper.make_node("X", ["a"], ["b"], many=[tensor(), elsewhere()]))), id="of many"
        ),
        pytest.param(lambda: model_of(graph_of(branch(graph_of(weights=elsewhere())))), id="a branch"),
        pytest.param(lambda: model_of(graph_of(branch(graph_of(branch(graph_of(weights=elsewhere())))))), id="nested"),
    ],
)
def test_weights_outside_the_file_are_refused_wherever_they_hide(hidden: Callable[[], onnx.ModelProto]) -> None:
    refused(hidden(), why="weights lie in other files")


def test_an_entry_whose_key_and_value_are_swapped_is_refused_too() -> None:
    weights = elsewhere()
    weights.ClearField("external_data")
    # On the wire the value before the key, which is the same to protobuf and another one to who looks for the bytes.
    entry = b"\x12\x06canary\x0a\x08location"
    swapped = weights.SerializeToString() + b"\x6a" + bytes([len(entry)]) + entry
    assert TensorProto.FromString(swapped).external_data[0].value == "canary"
    refused(_with_initializer(swapped), why="weights lie in other files")


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _with_initializer(raw: bytes) -> bytes:
    """A model whose graph is there twice on the wire, the second time with a weight as these bytes say."""
    return model_of(graph_of()).SerializeToString() + _field(7, _field(5, raw))


def test_a_graph_that_is_there_twice_is_looked_at_twice() -> None:
    content = _with_initializer(elsewhere("v").SerializeToString())
    assert [one.name for one in onnx.load_from_string(content).graph.initializer] == ["w", "v"]
    refused(content, why="weights lie in other files")


def test_a_place_given_by_one_number_alone_is_refused_however_it_is_written() -> None:
    for number in (b"\x01", b"\x81\x00", b"\x81\x80\x80\x80\x10"):
        raw = tensor().SerializeToString() + b"\x70" + number
        assert TensorProto.FromString(raw).data_location == TensorProto.EXTERNAL
        refused(_with_initializer(raw), why="weights lie in other files")


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (model_of(graph_of(), functions=[function(helper.make_node("Neg", ["a"], ["b"]))]), "functions of its own"),
        (model_of(graph_of(helper.make_node("F", ["a"], ["b"], domain="own"))), "'F' is an operator of 'own'"),
        (model_of(graph_of(helper.make_node("X", ["a"], ["b"], sparse=sparse(tensor())))), "sparse_tensor"),
        (model_of(graph_of(helper.make_node("StringConcat", ["a", "a"], ["b"]))), "works on texts"),
        (model_of(graph_of(weights=helper.make_tensor("w", TensorProto.STRING, [1], [b"x"]))), "holds texts"),
        (b"no graph at all", "holds the unknown field|does not end|middle"),
        (b"\x0b", "in no way|unknown"),
        (b"\x3a\x05ab", "middle of a field"),
        (b"\x08" + b"\xff" * 11, "does not end"),
        (b"\xfa\x07\x00", "unknown field 127"),
    ],
)
def test_what_else_no_network_needs_is_refused(model: onnx.ModelProto | bytes, why: str) -> None:
    refused(model, why=why)


def test_training_information_and_sparse_weights_are_refused() -> None:
    model = model_of(graph_of())
    model.training_info.add().algorithm.CopyFrom(graph_of())
    refused(model, why="training_info")
    model = model_of(graph_of())
    model.graph.sparse_initializer.append(sparse(elsewhere()))
    refused(model, why="sparse_initializer")


def test_graphs_within_operators_are_for_detectors_only_and_not_without_end() -> None:
    model = model_of(graph_of(branch(graph_of())))
    check_onnx(model.SerializeToString(), control_flow=True)
    refused(model, why="holds a graph of its own", control_flow=False)
    graph = graph_of()
    for _ in range(6):
        graph = graph_of(branch(graph))
    refused(model_of(graph), why="too deep")


def test_a_file_of_a_million_small_parts_is_refused_soon() -> None:
    refused(model_of(graph_of()).SerializeToString() + b"\x32\x00" * 600_000, why="more than 500,000 parts")


def test_of_an_operator_that_is_named_twice_each_name_must_be_allowed() -> None:
    node = helper.make_node("Neg", ["a"], ["b"]).SerializeToString()
    content = model_of(graph_of()).SerializeToString()
    check_onnx(content + _field(7, _field(1, node + _field(4, b"Abs"))))
    refused(content + _field(7, _field(1, node + _field(7, b"own") + _field(7, b""))), why="operator of 'own'")


EXAMPLES = [
    model_of(graph_of(helper.make_node("Constant", [], ["b"], value=tensor()), branch(graph_of()))),
    model_of(graph_of(weights=elsewhere())),
    model_of(graph_of(branch(graph_of(weights=elsewhere())))),
]


def tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor that onnx sees in a model, of messages of any kind."""

    def within(message: object) -> Iterator[TensorProto]:
        if isinstance(message, TensorProto):
            yield message
        for _, value in message.ListFields():  # type: ignore[attr-defined]
            for one in value if hasattr(value, "__len__") and not isinstance(value, bytes | str) else [value]:
                if hasattr(one, "ListFields"):
                    yield from within(one)

    return within(model)


@given(
    number=st.sampled_from(range(len(EXAMPLES))),
    places=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 10_000) | st.none(),
)
def test_what_passes_is_read_by_onnx_too_and_holds_its_weights(
    number: int, places: list[tuple[int, int]], cut: int | None
) -> None:
    content = bytearray(EXAMPLES[number].SerializeToString())
    for place, value in places:
        content[place % len(content)] = value
    mutated = bytes(content if cut is None else content[: cut % len(content)])
    try:
        check_onnx(mutated, control_flow=True)
    except OnnxFileError:
        return
    try:
        read = onnx.ModelProto.FromString(mutated)
    except DecodeError:
        # Texts that are no UTF-8, inside of what is not looked at.
        return
    for one in tensors(read):
        assert not one.external_data and one.data_location == TensorProto.DEFAULT
        assert one.data_type != TensorProto.STRING
    assert not read.functions and not read.training_info and not read.graph.sparse_initializer
