"""If, Loop, Scan, sequences inside a graph, functions of the model itself."""

import numpy as np
from onnx import TensorProto, helper

from .cells import TYPES, element, many
from .values import plain, whole

node = helper.make_node


def port(name, kind="float32", shape=None):
    return helper.make_tensor_value_info(name, element(np.zeros(1, TYPES[kind])), shape)


def constant(name, value):
    value = np.asarray(value)
    return helper.make_tensor(name, element(value), value.shape, value.flatten().tolist())


def branches():
    x = plain("float32", (2, 3), "if")
    yes = helper.make_graph([node("Add", ["x", "x"], ["a"])], "yes", [], [port("a")])
    no = helper.make_graph([node("Neg", ["x"], ["b"])], "no", [], [port("b")])
    for opset in (11, 13, 16, 19, 21, 26):
        for value in (True, False):
            nodes = [node("If", ["c"], ["y"], then_branch=yes, else_branch=no)]
            yield many("If", f"{value}", nodes, {"c": np.array(value), "x": x}, {}, ["y"], opset)
            yield many("If", f"{value}-one", nodes, {"c": np.array([value]), "x": x}, {}, ["y"], opset)
            yield many("If", f"{value}-const", nodes, {"x": x}, {"c": np.array(value)}, ["y"], opset)
    for place, value in enumerate([3.0, 0.0, 0.5, -2.0]):
        nodes = [node("Cast", ["f"], ["c"], to=9), node("If", ["c"], ["y"], then_branch=yes, else_branch=no)]
        yield many("If", f"cast-{place}", nodes, {"f": np.float32(value), "x": x}, {}, ["y"], 13)
    inner = helper.make_graph([node("If", ["d"], ["a"], then_branch=yes_named("p"), else_branch=no_named("q"))], "outer", [], [port("a")])
    for first, second in [(True, True), (True, False), (False, True)]:
        nodes = [node("If", ["c"], ["y"], then_branch=inner, else_branch=no)]
        yield many("If", f"nested-{first}-{second}", nodes, {"c": np.array(first), "d": np.array(second), "x": x}, {}, ["y"], 13)
    # Branches of other shapes.
    wide = helper.make_graph([node("Concat", ["x", "x"], ["a"], axis=0)], "wide", [], [port("a")])
    for value in (True, False):
        yield many("If", f"shapes-{value}", [node("If", ["c"], ["y"], then_branch=wide, else_branch=no)], {"c": np.array(value), "x": x}, {}, ["y"], 13)


def yes_named(name):
    return helper.make_graph([node("Mul", ["x", "x"], [name])], name, [], [port(name)])


def no_named(name):
    return helper.make_graph([node("Abs", ["x"], [name])], name, [], [port(name)])


def loops():
    body = helper.make_graph(
        [
            node("Cast", ["i"], ["f"], to=1), node("Add", ["s", "f"], ["s1"]), node("Mul", ["s1", "k"], ["t"]),
            node("Less", ["s1", "limit"], ["go1"]),
        ],
        "body", [port("i", "int64", []), port("go", "bool", []), port("s")], [port("go1", "bool", []), port("s1"), port("t")],
    )  # fmt: skip
    for opset in (11, 13, 16, 19, 21, 26):
        for trips in (None, 0, 1, 5):
            for go in (None, True, False):
                if trips is None and go is None:
                    continue
                nodes = [node("Loop", ["m" if trips is not None else "", "c" if go is not None else "", "s0"], ["last", "all"], body=body)]
                feeds = {"s0": np.float32([1, 2])[:1], "k": np.float32([2])}
                consts = {"limit": np.float32([9])}
                consts["limit"] = np.float32(9).reshape(1)
                if trips is not None:
                    feeds["m"] = np.array(trips, np.int64)
                if go is not None:
                    consts["c"] = np.array(go)
                yield many("Loop", f"{trips}-{go}", nodes, feeds, consts, ["last", "all"], opset)
    plain_body = helper.make_graph(
        [node("Identity", ["go"], ["go1"]), node("Concat", ["s", "x"], ["s1"], axis=0)],
        "body", [port("i", "int64", []), port("go", "bool", []), port("s")], [port("go1", "bool", []), port("s1")],
    )  # fmt: skip
    for trips in (0, 1, 4):
        nodes = [node("Loop", ["m", "", "x"], ["y"], body=plain_body)]
        yield many("Loop", f"grows-{trips}", nodes, {"m": np.array(trips, np.int64), "x": np.float32([1, 2])}, {}, ["y"], 13)


def scans():
    body = helper.make_graph([node("Add", ["s", "e"], ["s1"]), node("Mul", ["s1", "s1"], ["t"])], "body", [port("s"), port("e")], [port("s1"), port("t")])
    x = plain("float32", (4, 3), "scan")
    for opset in (9, 11, 16, 19, 21, 26):
        for more in [{}, {"scan_input_directions": [1]}, {"scan_output_directions": [1]}, {"scan_input_axes": [1]}, {"scan_output_axes": [1]}, {"scan_input_axes": [-1], "scan_output_axes": [-1]}]:
            state = np.zeros(3 if "scan_input_axes" not in more else 4, np.float32)
            if opset < 11 and -1 in more.get("scan_input_axes", []):
                continue
            nodes = [node("Scan", ["s0", "x"], ["last", "all"], body=body, num_scan_inputs=1, **more)]
            yield many("Scan", "-".join(more) or "plain", nodes, {"s0": state, "x": x}, {}, ["last", "all"], opset)


def sequences():
    x, y = np.float32([1, 2]), np.float32([3, 4])
    build = node("SequenceConstruct", ["x", "y"], ["s"])
    forms = {
        "at": [build, node("SequenceAt", ["s", "p"], ["z"])],
        "length": [build, node("SequenceLength", ["s"], ["z"])],
        "concat": [build, node("ConcatFromSequence", ["s"], ["z"], axis=0)],
        "stack": [build, node("ConcatFromSequence", ["s"], ["z"], axis=0, new_axis=1)],
        "insert": [build, node("SequenceInsert", ["s", "x", "p"], ["t"]), node("ConcatFromSequence", ["t"], ["z"], axis=0)],
        "append": [build, node("SequenceInsert", ["s", "x"], ["t"]), node("ConcatFromSequence", ["t"], ["z"], axis=0)],
        "erase": [build, node("SequenceErase", ["s", "p"], ["t"]), node("ConcatFromSequence", ["t"], ["z"], axis=0)],
        "empty": [node("SequenceEmpty", [], ["s"]), node("SequenceInsert", ["s", "y"], ["t"]), node("SequenceAt", ["t", "p"], ["z"])],
        "split": [node("Concat", ["x", "y"], ["c"], axis=0), node("SplitToSequence", ["c", "k"], ["s"], axis=0), node("SequenceAt", ["s", "p"], ["z"])],
        "split-one": [node("SplitToSequence", ["y"], ["s"], axis=0, keepdims=0), node("SequenceAt", ["s", "p"], ["z"])],
    }
    for opset in (11, 13, 24):
        for name, nodes in forms.items():
            for at in (0, -1):
                yield many("Sequence", f"{name}-{at}", nodes, {"x": x, "y": y}, {"p": np.array(at, np.int64), "k": whole([1, 3])}, ["z"], opset)


def functions():
    for opset in (15, 17, 21):
        body = [node("Mul", ["a", "a"], ["sq"]), node("Add", ["sq", "b"], ["out"])]
        made = helper.make_function("own", "SquareAdd", ["a", "b"], ["out"], body, [helper.make_opsetid("", opset)])
        nodes = [node("SquareAdd", ["x", "y"], ["h"], domain="own"), node("SquareAdd", ["h", "x"], ["z"], domain="own")]
        yield many("function", "twice", nodes, {"x": np.float32([1, -2]), "y": np.float32([3, 4])}, {}, ["z"], opset, more={"own": 1}, functions=[made])
        leaky = helper.make_node("LeakyRelu", ["a"], ["out"])
        reference = helper.make_attribute_ref_name(helper.make_attribute("alpha", 0.0), "slope") if hasattr(helper, "make_attribute_ref_name") else None
        if reference:
            leaky.attribute.append(reference)
            made = helper.make_function("own", "Slope", ["a"], ["out"], [leaky], [helper.make_opsetid("", opset)], ["slope"])
            yield many("function", "attribute", [node("Slope", ["x"], ["z"], domain="own", slope=0.4)], {"x": np.float32([1, -2])}, {}, ["z"], opset, more={"own": 1}, functions=[made])


def odd_graphs():
    """What graphs may do besides."""
    x = plain("float32", (2, 3), "odd")
    yield many("graph", "input-is-output", [node("Neg", ["x"], ["y"])], {"x": x, "unused": x}, {}, ["y", "x"])
    yield many("graph", "twice-used", [node("Add", ["x", "x"], ["a"]), node("Mul", ["a", "a"], ["b"]), node("Sub", ["b", "a"], ["y"])], {"x": x}, {}, ["y", "a"])
    yield many("graph", "unsorted-names", [node("Relu", ["x"], ["z"]), node("Add", ["z", "x"], ["a"])], {"x": x}, {}, ["a", "z"])
    yield many("graph", "dropout", [node("Dropout", ["x"], ["y"])], {"x": x}, {}, ["y"], 12)
    for opset in (7, 10, 12, 13, 22):
        yield many("graph", "dropout-mask", [node("Dropout", ["x"], ["y", "m"])], {"x": x}, {}, ["y", "m"], opset)
    yield many("graph", "const-output", [node("Neg", ["x"], ["y"]), node("Identity", ["k"], ["c"])], {"x": x}, {"k": np.float32([1, 2])}, ["y", "c"])


def all_specs():
    for group in (branches, loops, scans, sequences, functions, odd_graphs):
        yield from group()
