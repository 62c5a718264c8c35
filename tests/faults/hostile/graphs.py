"""Graphs that read files, never end, or take all memory."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from tests.faults.hostile.bundles import MEAN, bundle, constant, elsewhere, field, looking, loop, model
from tests.faults.hostile.place import Place, hostile


@hostile("bundle")
def weights_in_another_file(place: Place) -> Path:
    return bundle(place, model(MEAN, [elsewhere(place)], score="other"))


@hostile("bundle")
def weights_in_another_file_with_key_and_value_exchanged(place: Place) -> Path:
    tensor = elsewhere(place)
    exchanged = b"".join(
        field(13, field(2, entry.value.encode()) + field(1, entry.key.encode())) for entry in tensor.external_data
    )
    tensor.ClearField("external_data")
    made = model(MEAN, score="other")
    raw = made.SerializeToString() + field(7, field(5, tensor.SerializeToString() + exchanged))
    return bundle(place, raw)


@hostile("bundle")
def a_constant_in_another_file(place: Place) -> Path:
    node = helper.make_node("Constant", [], ["far"], value=elsewhere(place))
    return bundle(place, model([node, *MEAN], score="other"))


@hostile("bundle")
def weights_of_a_branch_in_another_file(place: Place) -> Path:
    output = helper.make_tensor_value_info("branched", TensorProto.FLOAT, None)
    nodes = [*MEAN[:1], helper.make_node("Add", ["scored", "mean"], ["branched"])]
    inner = helper.make_graph(nodes, "inner", [], [output], [elsewhere(place)])
    node = helper.make_node("If", ["true"], ["chosen"], then_branch=inner, else_branch=inner)
    return bundle(place, model([node], [constant("true", True, np.bool_)], score="chosen"))


@hostile("bundle")
def weights_at_an_address(place: Place) -> Path:
    tensor = TensorProto(name="row", dims=[1, 4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    values = {"location": "*/_ORT_MEM_ADDR_/*", "offset": str(place.dice.randrange(1 << 40)), "length": "16"}
    for key, value in values.items():
        tensor.external_data.add(key=key, value=value)
    return bundle(place, model(row=tensor))


@hostile("bundle")
def sparse_weights_in_another_file(place: Place) -> Path:
    made = model()
    indices = constant("indices", np.arange(64), np.int64)
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(elsewhere(place), indices, [100]))
    return bundle(place, made)


@hostile("bundle")
def a_function_that_calls_itself_twice_thirty_times(place: Place) -> Path:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    calls = [
        helper.make_function(
            "own",
            f"F{depth}",
            ["a"],
            ["c"],
            [
                helper.make_node(f"F{depth + 1}", ["a"], ["b"], domain="own"),
                helper.make_node(f"F{depth + 1}", ["b"], ["c"], domain="own"),
            ],
            opsets,
        )
        for depth in range(30)
    ]
    calls.append(helper.make_function("own", "F30", ["a"], ["c"], [helper.make_node("Neg", ["a"], ["c"])], opsets[:1]))
    made = model([helper.make_node("F0", ["scored"], ["called"], domain="own")], score="called")
    made.functions.extend(calls)
    made.opset_import.append(opsets[1])
    return bundle(place, made)


@hostile("bundle")
def an_operator_of_another_domain(place: Place) -> Path:
    domain = place.dice.choice(["com.microsoft", "ai.onnx.ml", "com.example", "ai.onnx.preview.training"])
    node = helper.make_node(
        "EPContext", ["scored"], ["other"], domain=domain, ep_cache_context=place.canary, embed_mode=0
    )
    made = model([node], score="other")
    made.opset_import.append(helper.make_opsetid(domain, 1))
    return bundle(place, made)


@hostile("bundle")
def an_endless_loop(place: Place) -> Path:
    return bundle(place, model(loop(place), [constant("true", True, np.bool_)], score="looped"))


@hostile("bundle")
def a_detector_with_an_endless_loop(place: Place) -> Path:
    values = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [3, "height", "width"])]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 4]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N"]),
    ]
    nodes = [helper.make_node("ReduceMean", ["image", "sides"], ["scored"], keepdims=0), *loop(place)]
    nodes += [
        helper.make_node("Identity", [a], [b])
        for a, b in (("looped", "scores"), ("corners", "boxes"), ("numbers", "labels"))
    ]
    weights = [
        constant("sides", [1, 2], np.int64),
        constant("true", True, np.bool_),
        constant("corners", np.zeros((3, 4))),
        constant("numbers", [0, 1, 2], np.int64),
    ]
    graph = helper.make_graph(nodes, "g", values, outputs, weights)
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    return looking(place, content)


@hostile("bundle")
def a_detector_whose_classes_mean_a_billion_labels(place: Place) -> Path:
    classes = ["x"] * place.dice.choice([9_000, 200_000])
    return looking(place, b"x", classes=classes, labels={"x": ["red"] * 50_000})


@hostile("bundle")
def a_tensor_of_all_memory(place: Place) -> Path:
    shape = place.dice.choice([[place.huge], [10**5, 10**5], [2**31, 4]])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["scored", "most"], ["other"]),
    ]
    return bundle(place, model(nodes, [constant("shape", shape, np.int64)], score="other"))


@hostile("bundle")
def a_tensor_that_grows_with_the_pixels(place: Place) -> Path:
    """Of the black photo at loading it is small."""
    nodes = [
        helper.make_node("ReduceMax", ["floats"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Mul", ["whole", "factor"], ["more"]),
        helper.make_node("Add", ["more", "last"], ["length"]),
        helper.make_node("ConstantOfShape", ["length"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["scored", "most"], ["other"]),
    ]
    return bundle(place, model(nodes, [constant("factor", place.huge, np.int64)], score="other"))


@hostile("bundle")
def a_tensor_that_doubles_forty_times(place: Place) -> Path:
    nodes = [
        helper.make_node("Concat", [f"d{n}", f"d{n}"], [f"d{n + 1}"], axis=0) for n in range(place.dice.randint(32, 60))
    ]
    last = nodes[-1].output[0]
    nodes = [
        helper.make_node("Identity", ["scored"], ["d0"]),
        *nodes,
        helper.make_node("ReduceMax", [last], ["most"], keepdims=0),
    ]
    return bundle(place, model([*nodes, helper.make_node("Mul", ["scored", "most"], ["other"])], score="other"))


@hostile("bundle")
def an_outer_product_of_all_memory(place: Place) -> Path:
    side = 10 ** place.dice.randint(5, 6)
    nodes = [
        helper.make_node("Expand", ["half", "tall"], ["a"]),
        helper.make_node("Expand", ["half", "wide"], ["b"]),
        helper.make_node(place.dice.choice(["MatMul", "Mul"]), ["a", "b"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Mul", ["scored", "most"], ["other"]),
    ]
    weights = [constant("tall", [side, 1], np.int64), constant("wide", [1, side], np.int64)]
    return bundle(place, model(nodes, weights, score="other"))


@hostile("bundle")
def a_product_that_takes_an_hour(place: Place) -> Path:
    nodes = [helper.make_node("Expand", ["half", "square"], ["a"])]
    nodes += [helper.make_node("MatMul", ["a", "a"], [f"p{n}"]) for n in range(50)]
    nodes += [
        helper.make_node("Max", [f"p{n}" for n in range(50)], ["all"]),
        helper.make_node("ReduceMax", ["all"], ["most"], keepdims=0),
        helper.make_node("Mul", ["scored", "most"], ["other"]),
    ]
    return bundle(place, model(nodes, [constant("square", [8000, 8000], np.int64)], score="other"))


@hostile("bundle")
def texts_that_grow_outside_of_the_store(place: Place) -> Path:
    nodes = [helper.make_node("Cast", ["scored"], ["t0"], to=TensorProto.STRING)]
    nodes += [helper.make_node("StringConcat", [f"t{n}", f"t{n}"], [f"t{n + 1}"]) for n in range(40)]
    made = model(nodes)
    made.opset_import[0].version = 20
    return bundle(place, made)


@hostile("bundle")
def scores_that_are_none(place: Place) -> Path:
    value = place.dice.choice([float("nan"), float("inf"), -0.1, 1.5, -1e30])
    row = [[0.2, 0.4, value, 0.8]]
    return bundle(place, model(row=constant("row", row)))


@hostile("bundle")
def scores_that_are_none_on_a_white_photo(place: Place) -> Path:
    nodes = [
        helper.make_node("Mul", ["column", "factor"], ["lifted"]),
        helper.make_node("Add", ["scored", "lifted"], ["other"]),
    ]
    factor = place.dice.choice([1.0, -1.0, float("inf")])
    # Zero times infinity is no number, for the black photo too.
    return bundle(place, model(nodes, [constant("factor", factor)], score="other"))


@hostile("bundle")
def outputs_of_another_kind(place: Place) -> Path:
    made = model()
    which = place.dice.randrange(4)
    if which == 0:
        made.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
        made.graph.node[5].CopyFrom(helper.make_node("Cast", ["scored"], ["scores"], to=TensorProto.DOUBLE))
    elif which == 1:
        del made.graph.output[1:]
    elif which == 2:
        made.graph.node[5].CopyFrom(helper.make_node("ReduceMax", ["scored"], ["scores"], keepdims=0))
    else:
        made.graph.initializer[4].CopyFrom(
            constant("columns", [[0, 1, 2, place.dice.choice([4, -2, 10**9])]], np.int64)
        )
    return bundle(place, made)


@hostile("bundle")
def graphs_in_graphs_in_graphs(place: Place) -> Path:
    output = helper.make_tensor_value_info("value", TensorProto.FLOAT, None)
    node = helper.make_node("Identity", ["scored"], ["value"])
    for _ in range(place.dice.randint(4, 60)):
        inner = helper.make_graph([node], "inner", [], [output])
        node = helper.make_node("If", ["true"], ["value"], then_branch=inner, else_branch=inner) if _ < 6 else node
    return bundle(place, model([node], [constant("true", True, np.bool_)], score="value"))


@hostile("bundle")
def onnxruntimes_own_format(place: Place) -> Path:
    return bundle(place, b"\x18\x00\x00\x00ORTM" + place.dice.randbytes(place.dice.randint(0, 2000)))


@hostile("bundle")
def a_million_parts(place: Place) -> Path:
    return bundle(place, model().SerializeToString() + b"\x32\x00" * place.dice.randint(600_000, 4_000_000))


@hostile("bundle", refused=False)
def a_graph_with_changed_bytes(place: Place) -> Path:
    content = bytearray(model(loop(place), [constant("true", True, np.bool_)]).SerializeToString())
    for _ in range(place.dice.randint(1, 20)):
        content[place.dice.randrange(len(content))] = place.dice.randrange(256)
    return bundle(place, bytes(content[: place.dice.choice([len(content), place.dice.randrange(len(content))])]))
