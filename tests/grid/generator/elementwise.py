"""Operators that work element by element."""

import itertools

import numpy as np

from .cells import FLOATS, INTEGERS, NUMBERS, SIGNED, TYPES, many, one, opsets, pick, types
from .values import divisors, plain, positive, sharp, ties, whole
from onnx import helper

SHAPES = [(), (7,), (2, 0, 3), (1, 5, 6), (2, 3, 2, 5)]

UNARY = [
    "Abs", "Neg", "Sign", "Ceil", "Floor", "Round", "Sqrt", "Exp", "Log", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan",
    "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Erf", "Reciprocal", "Sigmoid", "Relu", "Softplus", "Softsign",
    "HardSwish", "Mish", "Identity", "IsNaN", "IsInf", "Not", "BitwiseNot", "Elu", "Selu", "Celu", "LeakyRelu",
    "HardSigmoid", "ThresholdedRelu", "Gelu", "Swish", "Shrink",
]  # fmt: skip

ATTRIBUTES = {
    "Elu": [{}, {"alpha": 0.3}, {"alpha": -2.0}],
    "Selu": [{}, {"alpha": 2.0, "gamma": 3.0}],
    "Celu": [{}, {"alpha": 0.5}],
    "LeakyRelu": [{}, {"alpha": 0.2}, {"alpha": -1.5}, {"alpha": 0.0}],
    "HardSigmoid": [{}, {"alpha": 0.5, "beta": 0.6}, {"alpha": -0.5}],
    "ThresholdedRelu": [{}, {"alpha": 0.0}, {"alpha": -2.0}],
    "Gelu": [{}, {"approximate": "tanh"}, {"approximate": "none"}],
    "Swish": [{}, {"alpha": 0.5}],
    "Shrink": [{}, {"lambd": 1.5, "bias": 0.5}, {"lambd": 0.0}],
    "IsInf": [{}, {"detect_negative": 0}, {"detect_positive": 0}, {"detect_negative": 0, "detect_positive": 0}],
}

BINARY = [
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or",
    "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "PRelu",
]  # fmt: skip
BROADCASTS = [
    ((3, 5), (3, 5)), ((3, 5), (5,)), ((4,), (2, 3, 4)), ((2, 1, 4), (3, 1)), ((), (6,)), ((5,), ()), ((), ()),
    ((0, 3), (1, 3)), ((2, 3, 4, 5), (3, 1, 1)), ((1, 1), (7,)),
]  # fmt: skip


def wide(operator, kind, *arrays):
    """ONNX's own evaluator where ONNX Runtime compares int64 by their low 32 bits, in some places of a tensor and on some
    processors."""
    beyond = any(np.any((array < -(2**31)) | (array >= 2**31)) for array in arrays) if kind == "int64" else False
    return "reference" if beyond and operator in ("Sign", "Max", "Min", "Clip") else "ort"


def unary():
    for operator in UNARY:
        for opset in opsets(operator):
            variable = "X" if operator in ("IsNaN", "IsInf") else "V" if operator == "Identity" else "T"
            variable = {"IsNaN": "T1", "IsInf": "T1"}.get(operator, variable)
            for kind in types(operator, opset, variable) or types(operator, opset, "T"):
                for place, attributes in enumerate(ATTRIBUTES.get(operator, [{}])):
                    for shape in pick(SHAPES, 3 if kind == "float32" else 2, f"{operator}{opset}{kind}{place}"):
                        key = f"{kind}-{len(shape)}d-{place}"
                        x = sharp(kind, shape, operator + key)
                        yield one(operator, key, [x], opset, oracle=wide(operator, kind, x), **attributes)
                    key = f"{kind}-near-{place}"
                    yield one(operator, key, [plain(kind, (3, 4), operator + key, 0.5)], opset, **attributes)


def right_hand(operator, kind, shape, key):
    if operator in ("Div", "Mod"):
        return divisors(kind, shape, key)
    return sharp(kind, shape, key)


def binary():
    for operator in BINARY:
        for opset in opsets(operator):
            for kind in types(operator, opset):
                if operator in ("Pow", "Mod"):
                    continue
                if operator == "PRelu":
                    forms = [((2, 3, 4), (3, 1)), ((2, 3), (1,)), ((2, 3), (3,)), ((2, 3, 4, 5), (3, 1, 1)), ((4,), (4,))]
                else:
                    forms = BROADCASTS
                for left, right in pick(forms, 6 if kind in ("float32", "int64") else 3, f"{operator}{opset}{kind}"):
                    key = f"{kind}-{'x'.join(map(str, left))}-{'x'.join(map(str, right))}"
                    a = sharp(kind, left, operator + key + "a")
                    b = right_hand(operator, kind, right, operator + key + "b")
                    yield one(operator, key, [a, b], opset)
                    if left == (3, 5):
                        yield one(operator, key + "-const", [a, b], opset, consts=[1])
                        same = ties(kind, left, key) if operator not in ("Div",) else positive(kind, left, key)
                        yield one(operator, key + "-ties", [same, same[::-1].copy()], opset)


def modulo():
    for opset in opsets("Mod"):
        for kind in types("Mod", opset):
            for fmod in (None, 0, 1):
                for left, right in [((4, 6), (4, 6)), ((5,), ()), ((2, 3), (3,))]:
                    key = f"{kind}-{fmod}-{len(left)}{len(right)}"
                    yield one("Mod", key, [sharp(kind, left, key), divisors(kind, right, key + "b")], opset, fmod=fmod)


def power():
    for opset in opsets("Pow"):
        bases = types("Pow", opset)
        exponents = types("Pow", opset, "T1") or [None]
        for base, exponent in itertools.product(bases, exponents):
            power_of = exponent or base
            values = [0, 1, 2, 3, 0.5, -1, 4] if TYPES[power_of].kind == "f" else [0, 1, 2, 3, 5, 4, 31]
            b = np.array(values).astype(TYPES[power_of])
            key = f"{base}-{power_of}"
            yield one("Pow", key, [np.array([3, 2, 46341, 7, 9, 2, 2], TYPES[base]) if base not in ("int8", "uint8", "float16") else np.array([3, 2, 6, 7, 9, 2, 2], TYPES[base]), b], opset)
            yield one("Pow", key + "-sharp", [sharp(base, (6, 7), key), b], opset)
            yield one("Pow", key + "-square", [sharp(base, (9,), key), np.array(2, TYPES[power_of])], opset, consts=[1])


def variadic():
    for operator in ["Max", "Min", "Sum", "Mean"]:
        for opset in opsets(operator):
            for kind in types(operator, opset):
                shapes = [[(3, 4)], [(3, 4), (3, 4)], [(3, 4), (4,), (1,)], [(2, 1), (1, 3)], [(), (5,)], [(0, 2), (2,)], [(2, 2)] * 4]
                for place, form in enumerate(pick(shapes, 4, f"{operator}{opset}{kind}")):
                    key = f"{kind}-{place}"
                    inputs = [sharp(kind, shape, f"{operator}{key}{i}") for i, shape in enumerate(form)]
                    yield one(operator, key, inputs, opset, oracle=wide(operator, kind, *inputs))


def clip():
    for opset in opsets("Clip"):
        if opset < 11:
            for attributes in [{}, {"min": -1.0}, {"max": 2.0}, {"min": -1.0, "max": 1.0}, {"min": 2.0, "max": -2.0}]:
                for kind in types("Clip", opset):
                    key = f"{kind}-{'-'.join(attributes)}-{len(attributes)}{attributes.get('min', 0)}"
                    yield one("Clip", key, [sharp(kind, (4, 7), key)], opset, **attributes)
            continue
        for kind in types("Clip", opset):
            dtype = TYPES[kind]
            low, high = (np.array(1, dtype), np.array(5, dtype)) if dtype.kind == "u" else (np.array(-1, dtype), np.array(2, dtype))
            bounds = [(None, None), (low, None), (None, high), (low, high), (high, low)]
            if dtype.kind == "f":
                bounds += [(np.array(np.nan, dtype), high), (low, np.array(np.nan, dtype)), (np.array(-np.inf, dtype), np.array(np.inf, dtype))]
            for place, (least, most) in enumerate(bounds):
                for consts in [(), (1, 2)]:
                    key = f"{kind}-{place}-{len(consts)}"
                    x = sharp(kind, (4, 7), key)
                    yield one("Clip", key, [x, least, most], opset, consts=consts, oracle=wide("Clip", kind, x))


def shifts():
    for kind in types("BitShift", 11):
        for direction in ("LEFT", "RIGHT"):
            width = TYPES[kind].itemsize * 8
            by = np.array([0, 1, 2, width - 1, 3, width // 2, 1], TYPES[kind])
            key = f"{kind}-{direction}"
            for opset in (11, 26):
                yield one("BitShift", key, [sharp(kind, (2, 7), key), by], opset, direction=direction)
                yield one("BitShift", key + "-scalar", [sharp(kind, (7,), key), by[2]], opset, direction=direction)


def where():
    for opset in opsets("Where"):
        for kind in types("Where", opset):
            forms = [((3, 4), (3, 4), (3, 4)), ((4,), (3, 4), ()), ((2, 1), (1, 3), (2, 3)), ((), (2,), (2,)), ((1,), (0,), (1,))]
            for place, form in enumerate(forms if kind in ("float32", "int64") else forms[:3]):
                key = f"{kind}-{place}"
                inputs = [plain("bool", form[0], key), sharp(kind, form[1], key + "a"), sharp(kind, form[2], key + "b")]
                yield one("Where", key, inputs, opset)


def signed_zeros():
    """The sign of a zero shows in its reciprocal."""
    x = np.array([-0.0, 0.0, -0.4, 0.4, -1e-40, 1.0, -0.5], np.float32)
    for operator in ["Neg", "Ceil", "Floor", "Round", "Abs", "Sign", "Tanh", "Sin", "Identity", "Sqrt", "Atan", "Erf"]:
        nodes = [helper.make_node(operator, ["x"], ["h"]), helper.make_node("Reciprocal", ["h"], ["y"])]
        yield many(operator, "zero-sign", nodes, {"x": x}, {}, ["y"])
    for operator in ["Mul", "Add", "Sub", "Div"]:
        nodes = [helper.make_node(operator, ["x", "z"], ["h"]), helper.make_node("Reciprocal", ["h"], ["y"])]
        z = np.array([-0.0, 1.0], np.float32).reshape(2, 1)
        yield many(operator, "zero-sign", nodes, {"x": x}, {"z": z}, ["y"])


def half_inside():
    """float16 and float64 between float32 ports: what looks at the ports alone does not see them."""
    for middle, number in (("float16", 10), ("float64", 11)):
        for operator in ["Add", "Mul", "Div", "Sub", "Exp", "Sqrt", "Tanh", "Sigmoid", "ReduceSum", "MatMul", "Softmax", "Log", "Pow"]:
            two = operator in ("Add", "Mul", "Div", "Sub", "MatMul", "Pow")
            x = plain("float32", (4, 4), operator + middle) * 40 + 1000 / 3
            y = plain("float32", (4, 4), operator + middle + "y") + 0.1
            if operator in ("Exp", "Pow", "Tanh", "Sigmoid"):
                x, y = np.abs(x) / 50, y
            nodes = [helper.make_node("Cast", ["x"], ["a"], to=number)]
            feeds = {"x": x.astype(np.float32)}
            if two:
                nodes.append(helper.make_node("Cast", ["y"], ["b"], to=number))
                feeds["y"] = y.astype(np.float32)
            nodes.append(helper.make_node(operator, ["a", "b"] if two else ["a"], ["h"]))
            # The difference to what float32 would give, large enough to be seen.
            nodes.append(helper.make_node("Sub", ["h", "h1"], ["d"]))
            nodes.insert(-1, helper.make_node("Floor", ["h"], ["h1"]))
            nodes.append(helper.make_node("Cast", ["d"], ["r"], to=1))
            nodes.append(helper.make_node("Cast", ["h"], ["s"], to=1))
            yield many(operator, f"inside-{middle}", nodes, feeds, {}, ["r", "s"], 13)
    # 2**24 + 1 is no float32.
    big = np.array([16777217.0, 1.0, 0.1], np.float64)
    for operator in ["Add", "Sub", "Mul"]:
        nodes = [
            helper.make_node("Cast", ["x"], ["a"], to=11),
            helper.make_node(operator, ["a", "k"], ["h"]),
            helper.make_node("Sub", ["h", "k2"], ["d"]),
            helper.make_node("Cast", ["d"], ["y"], to=1),
        ]
        yield many(operator, "double-constant", nodes, {"x": np.array([1, 2, 3], np.float32)}, {"k": big, "k2": np.array([16777216.0, 1.0, 0.0])}, ["y"])


def wide_constants():
    """int64 beyond 32 bits inside the graph, float32 at its ports."""
    for place, number in enumerate([2**31, 2**31 - 1, -(2**31) - 1, 2**32, 2**40 + 1, 2**53 + 1, 2**63 - 1, -(2**63)]):
        for operator in ["Add", "Sub", "Mul", "Max", "Min", "Equal", "Greater", "Less"]:
            nodes = [
                helper.make_node("Cast", ["x"], ["a"], to=7),
                helper.make_node(operator, ["a", "k"], ["h"]),
                helper.make_node("Cast", ["h"], ["y"], to=11),
            ]
            consts = {"k": np.array(number, np.int64)}
            oracle = wide(operator, "int64", consts["k"])
            yield many(operator, f"wide-{place}", nodes, {"x": np.array([0, 1, 3, -5], np.float32)}, consts, ["y"], 13, oracle)


def all_specs():
    for group in (unary, binary, modulo, power, variadic, clip, shifts, where, signed_zeros, half_inside, wide_constants):
        yield from group()
