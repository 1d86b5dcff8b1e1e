"""Quantised numbers. What ONNX Runtime computes in unsigned by signed bytes depends on the processor (without VNNI pairs
of products saturate at 16 bits), so those are computed by ONNX's own evaluator."""

import itertools

import numpy as np
from onnx import helper

from .cells import TYPES, many, one, opsets, pick, rng, types
from .values import plain, sharp

BYTES = ["uint8", "int8"]


def extreme(kind, shape, key):
    """Mostly the largest and smallest: their products saturate 16 bits."""
    limits = np.iinfo(TYPES[kind])
    choice = rng(key).choice([limits.max, limits.max, limits.min, limits.max - 1, 1], shape)
    return np.asarray(choice).astype(TYPES[kind]).reshape(shape)


def matrices():
    for a_kind, b_kind in itertools.product(BYTES, BYTES):
        oracle = "reference" if a_kind != b_kind or a_kind == "int8" else "ort"
        for place, (left, right) in enumerate([((2, 2), (2, 2)), ((3, 7), (7, 5)), ((1, 33), (33, 17)), ((2, 3, 4), (4, 2)), ((2, 3, 4), (2, 4, 3)), ((4,), (4, 3)), ((8, 64), (64, 16))]):
            for zeros in ("none", "scalar", "both", "rows"):
                for fill in (extreme, plain):
                    key = f"{a_kind}-{b_kind}-{place}-{zeros}-{fill.__name__}"
                    a, b = fill(a_kind, left, key), fill(b_kind, right, key + "b")
                    za, zb = np.array(3, TYPES[a_kind]), np.array(5 if b_kind == "uint8" else -5, TYPES[b_kind])
                    if zeros == "rows" and len(right) != 2:
                        continue
                    inputs = {"none": [a, b], "scalar": [a, b, za], "both": [a, b, za, zb], "rows": [a, b, za, np.arange(right[-1]).astype(TYPES[b_kind])]}[zeros]
                    which = "ort" if zeros == "rows" and oracle == "ort" else oracle
                    if zeros == "rows" and which == "reference":
                        continue
                    yield one("MatMulInteger", key, inputs, 10, consts=[1, 2, 3] if place % 2 else [], oracle=which)
    yield one("MatMulInteger", "issue", [np.full((2, 2), 255, np.uint8)] * 2, 10)
    for x_kind, w_kind in itertools.product(BYTES, BYTES):
        for place, (image, kernels, attributes) in enumerate([((1, 1, 3, 3), (1, 1, 2, 2), {}), ((1, 1, 3, 3), (1, 1, 2, 2), {"pads": [1, 1, 1, 1]}), ((1, 2, 5, 5), (3, 2, 3, 3), {"pads": [1, 0, 1, 1], "strides": [2, 1]}), ((1, 4, 5, 5), (4, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}), ((1, 1, 6, 5), (1, 1, 3, 3), {"auto_pad": "SAME_LOWER"}), ((1, 2, 4, 4), (2, 1, 3, 3), {"group": 2}), ((1, 1, 8), (2, 1, 3), {"pads": [1, 1]})]):
            for zero in (None, 0, 7):
                for fill in (extreme, plain):
                    key = f"{x_kind}-{w_kind}-{place}-{zero}-{fill.__name__}"
                    x, w = fill(x_kind, image, key), fill(w_kind, kernels, key + "w")
                    inputs = [x, w] if zero is None else [x, w, np.array(zero, TYPES[x_kind])]
                    # ONNX's evaluator has neither groups nor unsigned weights right; there ONNX Runtime does not saturate.
                    if fill is extreme and (x_kind, w_kind) != ("uint8", "uint8"):
                        continue
                    yield one("ConvInteger", key, inputs, 10, consts=[1, 2] if place % 2 else [], **attributes)


def linear():
    for operator in ("QuantizeLinear", "DequantizeLinear"):
        for opset in opsets(operator):
            for kind in ["uint8", "int8", "uint16", "int16", "int32"]:
                for source in ("float32", "float16") if opset >= 19 else ("float32",):
                    for axis, shape in [(None, ()), (1, (3,)), (0, (2,)), (-1, (4,))]:
                        for zero in (True, False):
                            if opset < 13 and axis is not None:
                                continue
                            key = f"{source}-{kind}-{axis}-{zero}"
                            scale = np.asarray(rng(key).uniform(0.05, 0.6, shape)).astype(TYPES[source]).reshape(shape)
                            limits = np.iinfo(TYPES[kind])
                            point = np.asarray(rng(key + "z").integers(max(limits.min, -9), 10, shape)).astype(TYPES[kind]).reshape(shape)
                            if kind == "int32":
                                point = np.zeros(shape, np.int32)
                            if operator == "QuantizeLinear":
                                # Halves: ties go to the even neighbour.
                                x = (rng(key + "x").integers(-700, 700, (2, 3, 4)) / 2).astype(TYPES[source])
                                x = (x * scale.reshape(-1)[0]).astype(TYPES[source]) if axis is None else x
                            else:
                                x = sharp(kind, (2, 3, 4), key) if kind != "int32" else plain(kind, (2, 3, 4), key)
                            inputs = [x, scale] + ([point] if zero else [])
                            yield one(operator, key, inputs, opset, consts=[1, 2] if zero else [], axis=axis)
            if opset >= 21:
                for kind in ("uint8", "int8", "int16"):
                    scale, point = positive_scale((2, 2)), np.zeros((2, 2), TYPES[kind])
                    x = plain("float32", (2, 4), kind) * 10 if operator == "QuantizeLinear" else plain(kind, (2, 4), kind)
                    yield one(operator, f"{kind}-blocks", [x, scale, point], opset, axis=1, block_size=2)
        special = np.array([np.nan, np.inf, -np.inf, 1e30, -0.0, 0.5, 1.5, 2.5, -0.5], np.float32)
        for kind in BYTES:
            yield one("QuantizeLinear", f"{kind}-sharp", [special[1:], np.float32(1), np.array(0, TYPES[kind])], 13)
    for place, x in enumerate([plain("float32", (3, 4), "dq"), np.zeros((2, 2), np.float32), np.float32([-1, -2, -3]), np.float32([1, 2, 3]), np.float32([0, 2, -3, -2.5, 1.34, 0.5]), np.full((3,), 7, np.float32)]):
        yield one("DynamicQuantizeLinear", f"{place}", [x], 11, 3)


def positive_scale(shape):
    return rng("scale").uniform(0.1, 1, shape).astype(np.float32)


def operators():
    for a_kind, b_kind in itertools.product(BYTES, BYTES):
        for place, (left, right) in enumerate([((2, 4), (4, 3)), ((2, 2, 4), (4, 3)), ((1, 17), (17, 5)), ((2, 3, 4), (2, 4, 3))]):
            for fill in (plain, extreme):
                for rows in (False, True):
                    if fill is extreme and a_kind != b_kind or (fill is extreme and a_kind == "int8") or a_kind == "int8" and b_kind == "uint8":
                        continue
                    key = f"{a_kind}-{b_kind}-{place}-{fill.__name__}-{rows}"
                    columns = (right[-1],) if rows and len(right) == 2 else ()
                    one_of = lambda kind, value: np.array(value, TYPES[kind])
                    inputs = [
                        fill(a_kind, left, key), np.float32(0.05), one_of(a_kind, 3), fill(b_kind, right, key + "b"),
                        np.full(columns, 0.02, np.float32) + np.arange(int(np.prod(columns)), dtype=np.float32).reshape(columns) * np.float32(0.01), np.full(columns, 2 if b_kind == "uint8" else 0, TYPES[b_kind]), np.float32(0.07), one_of(a_kind, 4),
                    ]  # fmt: skip
                    yield one("QLinearMatMul", key, inputs, 10, consts=[1, 2, 4, 5, 6, 7])
                    yield one("QLinearMatMul", key, inputs, 21, consts=[1, 2, 3, 4, 5, 6, 7])
        for place, (image, kernels, attributes) in enumerate([((1, 1, 4, 4), (1, 1, 2, 2), {}), ((1, 2, 5, 5), (3, 2, 3, 3), {"pads": [1, 1, 1, 1]}), ((1, 2, 5, 5), (2, 1, 3, 3), {"group": 2, "strides": [2, 2]}), ((1, 1, 6, 5), (1, 1, 3, 3), {"auto_pad": "SAME_LOWER"}), ((1, 2, 8), (3, 2, 3), {"pads": [1, 1]})]):
            for bias in (False, True):
                for channels in (False, True):
                    if a_kind == "int8" and b_kind == "uint8":
                        continue
                    key = f"{a_kind}-{b_kind}-{place}-{bias}-{channels}"
                    size = (kernels[0],) if channels else ()
                    inputs = [
                        plain(a_kind, image, key), np.float32(0.05), np.array(3, TYPES[a_kind]), plain(b_kind, kernels, key + "w"), np.asarray(rng(key).uniform(0.01, 0.1, size)).astype(np.float32).reshape(size),
                        np.zeros(size, TYPES[b_kind]), np.float32(0.07), np.array(4, TYPES[a_kind]),
                    ]  # fmt: skip
                    if bias:
                        inputs.append(plain("int32", (kernels[0],), key) * 10)
                    yield one("QLinearConv", key, inputs, 10, consts=range(1, len(inputs)), **attributes)


def networks():
    """What dynamic quantisation makes of a dense network: DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Add, Relu."""
    for place, widths in enumerate([(4, 8, 3), (16, 32, 16, 5), (64, 64, 10), (8, 200, 4)]):
        for weight_kind in BYTES:
            for large in (False, True):
                for seed in range(3):
                    key = f"mlp-{place}-{weight_kind}-{large}-{seed}"
                    nodes, consts, last = [], {}, "x"
                    for layer, (a, b) in enumerate(zip(widths, widths[1:])):
                        limits = np.iinfo(TYPES[weight_kind])
                        w = extreme(weight_kind, (a, b), f"{key}{layer}") if large else rng(f"{key}{layer}").integers(limits.min, limits.max + 1, (a, b)).astype(TYPES[weight_kind])
                        consts |= {f"w{layer}": w, f"z{layer}": np.array(0 if weight_kind == "int8" else 128, TYPES[weight_kind]), f"s{layer}": np.float32(0.01), f"b{layer}": plain("float32", (b,), f"{key}b{layer}")}
                        nodes += [
                            helper.make_node("DynamicQuantizeLinear", [last], [f"q{layer}", f"qs{layer}", f"qz{layer}"]),
                            helper.make_node("MatMulInteger", [f"q{layer}", f"w{layer}", f"qz{layer}", f"z{layer}"], [f"m{layer}"]),
                            helper.make_node("Cast", [f"m{layer}"], [f"f{layer}"], to=1),
                            helper.make_node("Mul", [f"qs{layer}", f"s{layer}"], [f"t{layer}"]),
                            helper.make_node("Mul", [f"f{layer}", f"t{layer}"], [f"p{layer}"]),
                            helper.make_node("Add", [f"p{layer}", f"b{layer}"], [f"a{layer}"]),
                        ]
                        last = f"a{layer}"
                        if layer + 2 < len(widths):
                            nodes.append(helper.make_node("Relu", [last], [f"r{layer}"]))
                            last = f"r{layer}"
                    nodes.append(helper.make_node("ArgMax", [last], ["class"], axis=1, keepdims=0))
                    yield many("quantised-network", key, nodes, {"x": plain("float32", (3, widths[0]), key)}, consts, [last, "class"], 13, oracle="reference")


def all_specs():
    for group in (matrices, linear, operators, networks):
        yield from group()
