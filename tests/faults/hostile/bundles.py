"""What bundles are made of."""

import json
import random
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tagger.tags.delivery.bundle import write_bundle
from tagger.tags.delivery.manifest import BundleLabel, Manifest
from tests.faults.hostile.place import Place

LABELS = ("red", "green", "blue", "grey")
SIZE = 16


def manifest() -> Manifest:
    labels = tuple(BundleLabel(name, {"en": name}, 0.5) for name in LABELS)
    return Manifest(labels, {"size": SIZE, "fit": "pad", "mean": [0.5] * 3, "std": [0.5] * 3}, 18, created="today")


def constant(name: str, value: Any, kind: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(value, kind), name)


def model(
    nodes: Sequence[onnx.NodeProto] = (),
    weights: Sequence[TensorProto] = (),
    *,
    row: TensorProto | None = None,
    score: str = "scored",
) -> onnx.ModelProto:
    """A graph of a bundle whose photos all have the scores of a row, and what is added to it."""
    float_, bool_, int_ = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64
    own = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=float_),
        helper.make_node("ReduceMean", ["floats", "sides"], ["means"], keepdims=0),
        helper.make_node("Unsqueeze", ["means", "last"], ["column"]),
        helper.make_node("Mul", ["column", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "row"], ["scored"]),
        *nodes,
        helper.make_node("Identity", [score], ["scores"]),
        helper.make_node("Greater", ["scored", "half"], ["tags"]),
        helper.make_node("Cast", ["zeros"], ["counted"], to=int_),
        helper.make_node("Add", ["counted", "columns"], ["origins"]),
    ]
    constants = [
        constant("sides", [1, 2, 3], np.int64),
        constant("last", [1], np.int64),
        constant("nothing", 0),
        constant("half", 0.5),
        constant("columns", [[0, 1, 2, 3]], np.int64),
        constant("row", [[0.2, 0.4, 0.6, 0.8]]) if row is None else row,
    ]
    made = helper.make_graph(
        own,
        "hostile",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["photos", SIZE, SIZE, 3])],
        [
            helper.make_tensor_value_info(name, kind, None)
            for name, kind in zip(("scores", "tags", "origins"), (float_, bool_, int_), strict=True)
        ],
        [*constants, *weights],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def bundle(place: Place, graph: onnx.ModelProto | bytes | None = None, **settings: Any) -> Path:
    """Write a bundle with a graph, as a file or a folder."""
    content = model() if graph is None else graph
    path = place.folder / place.dice.choice(["hostile.tagger", "hostile"])
    write_bundle(
        path,
        settings.pop("manifest", manifest()),
        model=content if isinstance(content, bytes) else content.SerializeToString(),
        card="",
        **settings,
    )
    return path


def stated(place: Place, **changed: Any) -> Path:
    """Write a bundle whose manifest says something else."""
    path = bundle(replace(place, dice=random.Random(0)))
    path = repacked(path, {})
    with zipfile.ZipFile(path) as archive:
        tree = json.loads(archive.read("manifest.json"))
    return repacked(path, {"manifest.json": json.dumps(tree | changed).encode()})


def repacked(path: Path, changed: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write a bundle's file again with other contents."""
    if path.is_dir():
        contents = {file.name: file.read_bytes() for file in path.iterdir()}
        path = path.with_suffix(".tagger")
    else:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        # Two entries may have one name.
        warnings.simplefilter("ignore")
        for name, content in (contents | changed).items():
            archive.writestr(name, content)
    return path


MEAN = (
    helper.make_node("ReduceMean", ["far"], ["mean"], keepdims=0),
    helper.make_node("Mul", ["mean", "nothing"], ["naught"]),
    helper.make_node("Add", ["scored", "naught"], ["other"]),
)
"""What reads weights called far, and changes no score."""


def elsewhere(place: Place, name: str = "far") -> TensorProto:
    """Weights that lie in the canary; fewer are no longer looked for there."""
    tensor = TensorProto(name=name, dims=[64], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    entries = [("location", place.canary), ("offset", "0"), ("length", "256")]
    for key, value in place.dice.sample(entries, 3):
        tensor.external_data.add(key=key, value=value)
    return tensor


def field(number: int, content: bytes) -> bytes:
    """A field of bytes as protobuf writes it."""
    length, written = len(content), bytearray()
    while length >= 0x80:
        written.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2]) + bytes([*written, length]) + content


def loop(place: Place, *, endless: bool = True) -> list[onnx.NodeProto]:
    """An operator with a graph of its own."""
    names = ("turn", "go", "value")
    kinds = (TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT)
    body = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}2"]) for name in names[1:]],
        "body",
        [
            helper.make_tensor_value_info(*value, None if value[0] == "value" else [])
            for value in zip(names, kinds, strict=True)
        ],
        [
            helper.make_tensor_value_info(f"{n}2", k, None if n == "value" else [])
            for n, k in zip(names[1:], kinds[1:], strict=True)
        ],
    )
    turns = "" if endless else "turns"
    return [helper.make_node("Loop", [turns, "true", "scored"], ["looped"], body=body)]


def looking(place: Place, content: bytes, **changed: Any) -> Path:
    """A bundle with a detector."""
    import hashlib

    stated_ = {"sha256": hashlib.sha256(content).hexdigest(), "classes": ["a", "b", "c"], "labels": {"a": ["red"]}}
    made = replace(manifest(), detector=stated_ | {"long_side": 64, "floor": 0.05} | changed)
    return bundle(place, manifest=made, detector=content)
