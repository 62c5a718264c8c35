"""What an ONNX file from outside may hold: one graph of ONNX's own operators, with every weight inside.

onnxruntime opens the files that a graph names, follows loops that never end, and lets a tensor name an address of this
process's memory. So the file is parsed before it is opened: field by field, as protobuf writes it, against the messages
of onnx.proto. What is not in the tables below is refused, so that nothing can be meant that was not looked at.
"""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How protobuf writes a value: https://protobuf.dev/programming-guides/encoding."""

WHOLE, WHOLES, SHORT, SHORTS, LONGS = ({VARINT}, {VARINT, BYTES}, {FIXED32}, {FIXED32, BYTES}, {FIXED64, BYTES})
"""Kinds of fields whose content is not looked at, by how they are written; lists also packed into bytes."""

TEXT = {BYTES}
"""The same of texts, of weights, and of messages that name no file: types, shapes, notes."""

REFUSED: set[int] = set()

Field = str | set[int]
"""A message of `MESSAGES`, or how a value is written; `REFUSED` is written in no way."""

MESSAGES: dict[str, dict[int, tuple[str, Field]]] = {
    "ModelProto": {
        1: ("ir_version", WHOLE),
        2: ("producer_name", TEXT),
        3: ("producer_version", TEXT),
        4: ("domain", TEXT),
        5: ("model_version", WHOLE),
        6: ("doc_string", TEXT),
        7: ("graph", "GraphProto"),
        8: ("opset_import", TEXT),
        14: ("metadata_props", TEXT),
        20: ("training_info", REFUSED),
        # One that calls the next twice, and so on, is a short file of a billion nodes.
        25: ("functions", REFUSED),
        26: ("configuration", TEXT),
    },
    "GraphProto": {
        1: ("node", "NodeProto"),
        2: ("name", TEXT),
        5: ("initializer", "TensorProto"),
        10: ("doc_string", TEXT),
        11: ("input", TEXT),
        12: ("output", TEXT),
        13: ("value_info", TEXT),
        14: ("quantization_annotation", TEXT),
        15: ("sparse_initializer", REFUSED),
        16: ("metadata_props", TEXT),
    },
    "NodeProto": {
        1: ("input", TEXT),
        2: ("output", TEXT),
        3: ("name", TEXT),
        4: ("op_type", TEXT),
        5: ("attribute", "AttributeProto"),
        6: ("doc_string", TEXT),
        7: ("domain", TEXT),
        8: ("overload", TEXT),
        9: ("metadata_props", TEXT),
        10: ("device_configurations", TEXT),
    },
    "AttributeProto": {
        1: ("name", TEXT),
        2: ("f", SHORT),
        3: ("i", WHOLE),
        4: ("s", TEXT),
        5: ("t", "TensorProto"),
        6: ("g", "GraphProto"),
        7: ("floats", SHORTS),
        8: ("ints", WHOLES),
        9: ("strings", TEXT),
        10: ("tensors", "TensorProto"),
        11: ("graphs", "GraphProto"),
        13: ("doc_string", TEXT),
        14: ("tp", TEXT),
        15: ("type_protos", TEXT),
        20: ("type", WHOLE),
        21: ("ref_attr_name", TEXT),
        22: ("sparse_tensor", REFUSED),
        23: ("sparse_tensors", REFUSED),
    },
    "TensorProto": {
        1: ("dims", WHOLES),
        2: ("data_type", WHOLE),
        3: ("segment", REFUSED),
        4: ("float_data", SHORTS),
        5: ("int32_data", WHOLES),
        6: ("string_data", REFUSED),
        7: ("int64_data", WHOLES),
        8: ("name", TEXT),
        9: ("raw_data", TEXT),
        10: ("double_data", LONGS),
        11: ("uint64_data", WHOLES),
        12: ("doc_string", TEXT),
        13: ("external_data", REFUSED),
        14: ("data_location", WHOLE),
        16: ("metadata_props", TEXT),
    },
}
"""Field numbers of each message that is looked into, with name and kind: those of onnx.proto of ONNX 1.23."""

LOOKED_AT = {"NodeProto": (4, 7)}
"""Fields whose text says what a node does: op_type and domain."""

SKIPPED = {
    kind: {
        number << 3 | BYTES
        for number, (_, field) in fields.items()
        if field is TEXT and number < 16 and number not in LOOKED_AT.get(kind, ())
    }
    for kind, fields in MESSAGES.items()
}
"""First bytes of fields whose bytes are passed over."""

DOMAINS = {b"", b"ai.onnx"}
"""Of operators; the second is another way to write the first."""

TEXT_OPERATORS = {b"StringConcat", b"StringNormalizer", b"StringSplit", b"RegexFullMatch", b"TfIdfVectorizer"}

MAX_DEPTH = 16
"""Of messages in messages: four graphs within each other."""

MAX_FIELDS = 500_000
"""Most fields of a file; a network has ten thousand, torchvision's detectors have 35,000."""


class OnnxFileError(ValueError):
    """A file that is no graph, or holds what a graph from outside may not; the message says what."""


def check_onnx(model: bytes, *, control_flow: bool = False) -> None:
    """Refuse an ONNX file unless it is a graph of ONNX's own operators with every weight inside.

    Args:
        model: Content of the file.
        control_flow: Whether operators may hold graphs (If, Loop, Scan), as those of detectors do.

    Raises:
        OnnxFileError: Says what else is in it.
    """
    _Check(model, control_flow=control_flow).message("ModelProto", 0, len(model), depth=1)


class _Check:
    """One pass through a file."""

    def __init__(self, data: bytes, *, control_flow: bool) -> None:
        self.data = data
        self.control_flow = control_flow
        self.fields = 0

    def message(self, kind: str, at: int, end: int, *, depth: int) -> None:
        """Look into the message between two places."""
        if depth > MAX_DEPTH:
            raise OnnxFileError("graphs lie too deep in each other")
        known, skipped, operators, domains = MESSAGES[kind], SKIPPED[kind], set[bytes](), set[bytes]()
        while at < end:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise OnnxFileError(f"it consists of more than {MAX_FIELDS:,} parts")
            # Most fields are short texts.
            if self.data[at] in skipped and at + 1 < end and (length := self.data[at + 1]) < min(0x80, end - at - 1):
                at += 2 + length
                continue
            tag, start = self._number(at, end)
            number, written = tag >> 3, tag & 7
            name, field = known.get(number, (f"the unknown field {number}", REFUSED))
            is_message = isinstance(field, str)
            if written not in (TEXT if is_message else field):
                raise OnnxFileError(_refusal(kind, name))
            value, at = self._value(written, start, end)
            if is_message:
                self._check_graph(kind, str(field))
                self.message(str(field), value, at, depth=depth + 1)
            elif kind == "TensorProto":
                _check_tensor(number, value)
            elif number in LOOKED_AT.get(kind, ()):
                # Of a field that is there twice the last one counts; here each must be allowed.
                (operators if number == 4 else domains).add(self.data[value:at])
        if operators or domains:
            _check_operators(operators, domains)

    def _value(self, written: int, at: int, end: int) -> tuple[int, int]:
        """Return a number, or where bytes begin, and the place behind the value."""
        if written == VARINT:
            return self._number(at, end)
        length = 4 if written == FIXED32 else 8
        if written == BYTES:
            length, at = self._number(at, end)
        if at + length > end:
            raise OnnxFileError(f"it ends in the middle of a field, at byte {end:,}")
        return at, at + length

    def _number(self, at: int, end: int) -> tuple[int, int]:
        """Return the whole number at a place, and the place behind it."""
        if at < end and (byte := self.data[at]) < 0x80:
            return byte, at + 1
        value = 0
        for place in range(at, min(end, at + 10)):
            byte = self.data[place]
            value |= (byte & 0x7F) << 7 * (place - at)
            if byte < 0x80:
                return value, place + 1
        raise OnnxFileError(f"byte {at:,} begins a number that does not end")

    def _check_graph(self, within: str, field: str) -> None:
        if within == "AttributeProto" and field == "GraphProto" and not self.control_flow:
            raise OnnxFileError("an operator holds a graph of its own (If, Loop or Scan), which no network needs")


def _check_tensor(number: int, value: int) -> None:
    """Refuse weights that are elsewhere, and texts, which grow outside of the memory that a session is allowed."""
    if number == 14 and value:
        raise OnnxFileError(_refusal("TensorProto", "external_data"))
    # Read as 32 bits.
    if number == 2 and value & 0xFFFFFFFF == 8:
        raise OnnxFileError(_refusal("TensorProto", "string_data"))


def _check_operators(operators: set[bytes], domains: set[bytes]) -> None:
    shown = b" or ".join(sorted(operators)).decode(errors="replace")[:60]
    for domain in domains - DOMAINS:
        raise OnnxFileError(f"{shown!r} is an operator of {domain.decode(errors='replace')[:60]!r}, not of ONNX")
    if operators & TEXT_OPERATORS:
        raise OnnxFileError(f"the operator {shown!r} works on texts")


def _refusal(kind: str, name: str) -> str:
    reasons = {
        "external_data": "its weights lie in other files or in memory; save it as one file",
        "functions": "it has functions of its own; inline them with onnx.inliner",
        "string_data": "it holds texts, which no network needs",
    }
    return reasons.get(name, f"{kind} holds {name}, or writes it in no way that ONNX does")
