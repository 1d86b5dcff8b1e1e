"""Cast, CastLike, constants of every type."""

import numpy as np
from onnx import TensorProto, helper

from .cells import TYPES, element, many, one, opsets, types
from .values import plain, sharp, whole

OTHERS = {"bfloat16": TensorProto.BFLOAT16}


def source(kind, target, key):
    """What a cast can be given: a float beyond an integer's range has no defined value there, so these stay within."""
    if kind == "string":
        texts = ["1", "-3", "0", "7", "100"] if target != "bool" else ["1", "0"]
        if target in ("float32", "float64", "float16"):
            texts += ["1.5", "-0.25", "1e3", "inf", "-inf", "nan"]
        if target.startswith("uint"):
            texts = ["1", "0", "7", "100"]
        return np.array(texts, object)
    values = sharp(kind, (5, 7), key)
    if TYPES[kind].kind == "f" and target in TYPES and TYPES[target].kind in "iu":
        limits = np.iinfo(TYPES[target])
        low, high = max(limits.min, -60000), min(limits.max, 60000)
        values = np.nan_to_num(values.astype(np.float64), nan=1.7, posinf=high, neginf=low)
        return np.clip(values, low, high - 1).astype(TYPES[kind])
    return values


def casts():
    for opset in opsets("Cast"):
        for kind in TYPES:
            for target in TYPES:
                number = element(np.zeros(1, TYPES[target]))
                key = f"{kind}-{target}"
                yield one("Cast", key, [source(kind, target, key)], opset, to=number)
        for kind in TYPES:
            if kind == "string":
                continue
            for other, number in OTHERS.items():
                nodes = [helper.make_node("Cast", ["x"], ["h"], to=number), helper.make_node("Cast", ["h"], ["y"], to=1)]
                if opset >= 13:
                    yield many("Cast", f"{kind}-{other}", nodes, {"x": sharp(kind, (5, 7), kind)}, {}, ["y"], opset)


def out_of_range():
    """Beyond the range: integers wrap. Of floats only those whose result ONNX Runtime gives on every processor."""
    for kind, values in {
        "int64": [2**32 + 5, -(2**40) - 3, 300, -129, 65537, 2**63 - 1],
        "int32": [300, -129, 65537, -1, 2**31 - 1],
        "uint64": [2**64 - 1, 2**63, 300, 65537],
        "uint32": [2**32 - 1, 300],
        "int16": [300, -129, -1],
    }.items():
        for target in TYPES:
            if target == "string":
                continue
            number = element(np.zeros(1, TYPES[target]))
            for opset in (9, 13, 21, 26):
                yield one("Cast", f"wrap-{kind}-{target}", [np.array(values, TYPES[kind])], opset, to=number)


def after_bool():
    """A boolean is 0 or 1 whatever it was made from, and what follows must see it."""
    x = np.array([3, 0, 0.5, -2, np.nan, -0.0], np.float32)
    def chain(name, *after):
        nodes = [helper.make_node("Cast", ["x"], ["b"], to=TensorProto.BOOL), *after]
        return many("Cast", f"bool-{name}", nodes, {"x": x}, {"k": np.float32([1] * 6), "z": np.float32([0] * 6)}, ["y"], 13)
    for target in (1, 2, 3, 6, 7, 10, 11, 12, 13):
        yield chain(f"back-{target}", helper.make_node("Cast", ["b"], ["y"], to=target))
    yield chain("where", helper.make_node("Where", ["b", "k", "z"], ["y"]))
    yield chain("not", helper.make_node("Not", ["b"], ["y"]))
    yield chain("equal", helper.make_node("Not", ["b"], ["n"]), helper.make_node("Equal", ["b", "n"], ["y"]))
    yield chain("nonzero", helper.make_node("NonZero", ["b"], ["y"]))
    yield chain("xor", helper.make_node("Xor", ["b", "b"], ["y"]))
    yield chain("sum", helper.make_node("Cast", ["b"], ["f"], to=6), helper.make_node("ReduceSum", ["f"], ["y"]))


def like():
    for opset in opsets("CastLike"):
        for kind in TYPES:
            for target in TYPES:
                if "string" in (kind, target):
                    continue
                key = f"{kind}-{target}"
                inputs = [source(kind, target, key), np.zeros((2,), TYPES[target])]
                yield one("CastLike", key, inputs, opset, consts=[1] if len(key) % 2 else [])


def constants():
    for opset in opsets("Constant"):
        for kind in TYPES:
            value = sharp(kind, (2, 3), kind)
            proto = helper.make_tensor("v", element(value), value.shape, [str(t).encode() for t in value.flatten()] if kind == "string" else value.flatten().tolist()) if kind != "float16" else None
            if proto is None:
                continue
            nodes = [helper.make_node("Constant", [], ["c"], value=proto), helper.make_node("Identity", ["c"], ["y"])]
            yield many("Constant", f"typed-{kind}", nodes, {"x": np.float32([1])}, {}, ["y"], opset)
        if opset >= 12:
            for name, value in {"value_int": 2**40, "value_ints": [1, -(2**33)], "value_float": 0.1, "value_floats": [0.5, -1.0], "value_string": "a", "value_strings": ["a", "b"]}.items():
                nodes = [helper.make_node("Constant", [], ["c"], **{name: value}), helper.make_node("Identity", ["c"], ["y"])]
                yield many("Constant", name, nodes, {"x": np.float32([1])}, {}, ["y"], opset)
    for opset in opsets("ConstantOfShape"):
        for kind in types("ConstantOfShape", opset, "T2"):
            value = plain(kind, (1,), kind + "cos")
            proto = helper.make_tensor("v", element(value), [1], value.tolist())
            for shape in ([2, 3], [], [0, 2], [4]):
                yield one("ConstantOfShape", f"{kind}-{len(shape)}{sum(shape)}", [whole(shape)], opset, value=proto)
        yield one("ConstantOfShape", "default", [whole([2, 2])], opset)
    # Every type as an initializer in its typed field and not as raw bytes.
    for kind in TYPES:
        if kind in ("string", "float16"):
            continue
        yield one("Identity", f"const-{kind}", [sharp(kind, (3, 4), kind)], 17, consts=[0])


def all_specs():
    for group in (casts, out_of_range, after_bool, like, constants):
        yield from group()
