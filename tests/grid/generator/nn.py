"""Operators of neural networks: products, convolutions, pools, normalisation."""

import itertools

import numpy as np

from .cells import TYPES, one, opsets, pick, types
from .values import plain, positive, sharp, whole


def consts(place, count):
    """Sometimes the weights are constants, sometimes not."""
    return range(1, count) if place % 2 == 0 else []


def products():
    shapes = [
        ((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((2, 2, 3), (3, 4)), ((2, 1, 2, 3), (3, 3, 2)), ((5, 2, 3), (5, 3, 1)),
        ((1, 64), (64, 33)), ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((17, 40), (40, 9)), ((1, 3), (2, 3, 2)),
    ]  # fmt: skip
    for opset in opsets("MatMul"):
        for kind in types("MatMul", opset):
            for place, (left, right) in enumerate(pick(shapes, 12 if kind == "float32" else 5, f"mm{kind}{opset}")):
                key = f"{kind}-{place}"
                yield one("MatMul", key, [plain(kind, left, key), plain(kind, right, key + "b")], opset, consts=consts(place, 2))
            key = f"{kind}-sharp"
            yield one("MatMul", key, [sharp(kind, (5, 4), key), plain(kind, (4, 3), key)], opset)
            yield one("MatMul", key + "-const", [sharp(kind, (5, 4), key), plain(kind, (4, 3), key)], opset, consts=[1])
    for opset in opsets("Gemm"):
        for kind in types("Gemm", opset):
            for place, (a, b) in enumerate(itertools.product((0, 1), (0, 1))):
                left, right = ((4, 3) if a else (3, 4)), ((5, 4) if b else (4, 5))
                for c in [None, (3, 5), (5,), (1, 5), (3, 1), (), (1,)]:
                    if c is None and opset < 11:
                        continue
                    for alpha, beta in [(None, None), (0.5, 2.0), (1.0, 0.0)]:
                        if kind != "float32" and alpha is not None:
                            continue
                        key = f"{kind}-{a}{b}-{c}-{alpha}-{beta}"
                        inputs = [plain(kind, left, key), plain(kind, right, key + "b")] + ([] if c is None else [plain(kind, c, key + "c")])
                        integer = TYPES[kind].kind != "f"
                        yield one("Gemm", key, inputs, opset, consts=consts(len(key), len(inputs)), transA=a or None, transB=b or None, alpha=None if integer else alpha, beta=None if integer else beta)
    for opset in opsets("Einsum"):
        for kind in types("Einsum", opset):
            for equation, forms in [("ij,jk->ik", [(2, 3), (3, 4)]), ("bij,bjk->bik", [(2, 2, 3), (2, 3, 4)]), ("ij->ji", [(2, 3)]), ("ii->i", [(3, 3)]), ("ij->", [(2, 3)]), ("i,i", [(3,), (3,)]), ("...ij,...jk->...ik", [(2, 2, 3), (3, 4)]), ("ij->i", [(2, 3)]), ("i,j->ij", [(2,), (3,)]), ("bhwc,hkc->bhwk", [(1, 2, 3, 4), (2, 3, 4)]), ("ij,ij->ij", [(2, 3), (2, 3)])]:
                key = f"{kind}-{equation}"
                yield one("Einsum", key, [plain(kind, form, f"{key}{i}") for i, form in enumerate(forms)], opset, equation=equation)


CONVS = [
    # image, kernels, attributes
    ((1, 1, 5, 5), (1, 1, 3, 3), {}),
    ((1, 2, 6, 5), (3, 2, 3, 2), {"strides": [2, 1], "pads": [1, 0, 1, 1]}),
    ((2, 4, 7, 7), (4, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    ((1, 3, 6, 6), (3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    ((1, 3, 6, 6), (6, 1, 3, 3), {"group": 3}),
    ((1, 1, 9, 9), (2, 1, 3, 3), {"dilations": [2, 2]}),
    ((1, 1, 8, 9), (1, 1, 3, 3), {"dilations": [2, 1], "pads": [2, 1, 2, 1], "strides": [2, 2]}),
    ((1, 1, 6, 5), (1, 1, 3, 4), {"auto_pad": "SAME_UPPER"}),
    ((1, 1, 6, 5), (1, 1, 4, 2), {"auto_pad": "SAME_LOWER"}),
    ((1, 2, 7, 6), (2, 2, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((1, 2, 7, 6), (2, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((1, 2, 7, 6), (2, 2, 2, 2), {"auto_pad": "VALID", "strides": [3, 2]}),
    ((1, 2, 8), (3, 2, 3), {}),
    ((1, 2, 8), (3, 2, 4), {"auto_pad": "SAME_LOWER"}),
    ((2, 2, 9), (2, 1, 3), {"group": 2, "strides": [2], "pads": [1, 0], "dilations": [2]}),
    ((1, 2, 4, 4, 4), (2, 2, 2, 2, 2), {}),
    ((1, 2, 4, 5, 4), (2, 1, 3, 3, 2), {"group": 2, "pads": [1, 1, 0, 1, 1, 1], "strides": [1, 2, 1]}),
    ((1, 8, 5, 5), (16, 8, 1, 1), {}),
    ((0, 1, 5, 5), (1, 1, 3, 3), {}),
    ((1, 1, 5, 5), (1, 1, 3, 3), {"kernel_shape": [3, 3]}),
]


def convolutions():
    for opset in opsets("Conv"):
        for kind in types("Conv", opset):
            for place, (image, kernels, attributes) in enumerate(CONVS):
                for bias in (False, True):
                    key = f"{kind}-{place}-{'bias' if bias else 'plain'}"
                    inputs = [plain(kind, image, key), plain(kind, kernels, key + "w")] + ([plain(kind, kernels[:1], key + "b")] if bias else [])
                    yield one("Conv", key, inputs, opset, consts=consts(place + bias, len(inputs)), **attributes)
            x = sharp(kind, (1, 1, 5, 6), f"conv{kind}")
            yield one("Conv", f"{kind}-sharp", [x, plain(kind, (1, 1, 2, 2), kind)], opset, consts=[1])
    transposed = [
        ((1, 1, 3, 3), (1, 2, 3, 3), {}),
        ((1, 2, 3, 4), (2, 3, 3, 2), {"strides": [2, 3]}),
        ((1, 2, 3, 3), (2, 1, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((1, 4, 3, 3), (4, 1, 3, 3), {"group": 4}),
        ((1, 4, 3, 3), (4, 2, 2, 2), {"group": 2, "strides": [2, 2]}),
        ((1, 1, 3, 3), (1, 1, 2, 2), {"dilations": [2, 2]}),
        ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 8]}),
        ((1, 1, 3, 3), (1, 1, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((1, 1, 3, 3), (1, 1, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
        ((1, 1, 3, 3), (1, 1, 3, 3), {"auto_pad": "VALID"}),
        ((1, 2, 5), (2, 3, 3), {"strides": [2]}),
        ((1, 1, 2, 2, 3), (1, 2, 2, 2, 2), {}),
        ((1, 1, 4, 4), (1, 1, 3, 3), {"pads": [0, 1, 1, 0]}),
    ]
    for opset in opsets("ConvTranspose"):
        for kind in types("ConvTranspose", opset):
            for place, (image, kernels, attributes) in enumerate(transposed):
                for bias in (False, True):
                    key = f"{kind}-{place}-{'bias' if bias else 'plain'}"
                    group = attributes.get("group", 1)
                    inputs = [plain(kind, image, key), plain(kind, kernels, key + "w")] + ([plain(kind, (kernels[1] * group,), key + "b")] if bias else [])
                    yield one("ConvTranspose", key, inputs, opset, consts=consts(place + bias, len(inputs)), **attributes)


POOLS = [
    ((1, 1, 5, 5), {"kernel_shape": [2, 2]}),
    ((1, 2, 6, 5), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
    ((1, 1, 6, 6), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 1, 7, 6), {"kernel_shape": [3, 3], "strides": [3, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ((1, 1, 6, 5), {"kernel_shape": [3, 4], "auto_pad": "SAME_UPPER"}),
    ((1, 1, 6, 5), {"kernel_shape": [4, 2], "auto_pad": "SAME_LOWER"}),
    ((1, 1, 7, 6), {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((1, 1, 7, 6), {"kernel_shape": [3, 3], "auto_pad": "VALID", "strides": [2, 2]}),
    ((1, 2, 8), {"kernel_shape": [3], "strides": [2]}),
    ((1, 2, 8), {"kernel_shape": [2], "pads": [1, 1]}),
    ((1, 1, 4, 4, 5), {"kernel_shape": [2, 2, 3]}),
    ((1, 1, 4, 4, 5), {"kernel_shape": [2, 2, 3], "pads": [1, 0, 1, 0, 1, 1], "strides": [2, 2, 2]}),
    ((1, 1, 8, 8), {"kernel_shape": [3, 3], "dilations": [2, 2]}),
    ((1, 1, 8, 8), {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1, "strides": [2, 2]}),
]


def pools():
    for operator in ("MaxPool", "AveragePool", "LpPool"):
        for opset in opsets(operator):
            for kind in types(operator, opset):
                for place, (shape, attributes) in enumerate(POOLS):
                    if ("dilations" in attributes and opset < {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[operator]) or ("ceil_mode" in attributes and opset < {"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[operator]):
                        continue
                    key = f"{kind}-{place}"
                    if operator == "AveragePool":
                        for include in (0, 1):
                            yield one(operator, f"{key}-{include}", [plain(kind, shape, key)], opset, count_include_pad=include, **attributes)
                    elif operator == "MaxPool":
                        yield one(operator, key, [plain(kind, shape, key)], opset, **attributes)
                        if opset >= 8:
                            for order in (0, 1):
                                yield one(operator, f"{key}-indices-{order}", [plain(kind, shape, key)], opset, 2, storage_order=order, **attributes)
                    else:
                        for p in (None, 1, 3):
                            yield one(operator, f"{key}-{p}", [plain(kind, shape, key)], opset, p=p, **attributes)
                if TYPES[kind].kind == "f":
                    x = sharp(kind, (1, 1, 6, 6), kind)
                    if operator == "MaxPool" and x.dtype.kind == "f":
                        # What becomes of NaN depends on where it lies and on the processor's vectors.
                        x = np.where(np.isnan(x), x.dtype.type(2), x)
                    yield one(operator, f"{kind}-sharp", [x], opset, kernel_shape=[2, 2])
    for operator in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
        for opset in opsets(operator):
            for kind in types(operator, opset):
                for shape in [(1, 2, 3, 4), (2, 3, 5), (1, 2, 2, 2, 3), (1, 2, 1, 1)]:
                    yield one(operator, f"{kind}-{len(shape)}-{shape[2]}", [plain(kind, shape, kind)], opset)
    for kind in ("float32",):
        x = np.array([[[[5, 6], [7, 8]]]], np.float32)
        at = np.array([[[[5, 7], [13, 15]]]], np.int64)
        for opset in (9, 11, 22):
            yield one("MaxUnpool", "plain", [x, at], opset, kernel_shape=[2, 2], strides=[2, 2])
            yield one("MaxUnpool", "shape", [x, at, whole([1, 1, 5, 5])], opset, kernel_shape=[2, 2], strides=[2, 2])


def norms():
    for opset in opsets("BatchNormalization"):
        for kind in types("BatchNormalization", opset):
            for place, shape in enumerate([(2, 3, 4, 4), (2, 3), (2, 3, 5), (1, 2, 2, 3, 2), (0, 3, 2)]):
                for epsilon in (None, 0.01):
                    key = f"{kind}-{place}-{epsilon}"
                    channel = lambda name: plain(kind, shape[1:2], key + name)
                    inputs = [plain(kind, shape, key), channel("s"), channel("b"), channel("m"), positive(kind, shape[1:2], key)]
                    yield one("BatchNormalization", key, inputs, opset, consts=consts(place, 5), epsilon=epsilon)
    for opset in opsets("InstanceNormalization"):
        for kind in types("InstanceNormalization", opset):
            for shape in [(2, 3, 4), (1, 2, 3, 3), (2, 2, 1, 2)]:
                key = f"{kind}-{len(shape)}-{shape[0]}"
                yield one("InstanceNormalization", key, [plain(kind, shape, key), plain(kind, shape[1:2], "s"), plain(kind, shape[1:2], "b")], opset, epsilon=0.01 if shape[0] == 1 else None)
    for opset in opsets("LayerNormalization"):
        for kind in types("LayerNormalization", opset):
            for shape, axis in [((2, 3, 4), None), ((2, 3, 4), 1), ((2, 3, 4), 0), ((2, 3, 4), -2), ((3, 5), 1)]:
                for bias in (False, True):
                    for outputs in (1, 3):
                        key = f"{kind}-{len(shape)}-{axis}-{bias}-{outputs}"
                        norm = shape[axis if axis is not None else -1:]
                        inputs = [plain(kind, shape, key), plain(kind, norm, key + "s")] + ([plain(kind, norm, key + "b")] if bias else [])
                        yield one("LayerNormalization", key, inputs, opset, outputs, consts=consts(len(key), len(inputs)), axis=axis, epsilon=1e-3 if bias else None)
            flat = np.full((2, 4), 3, TYPES[kind])
            yield one("LayerNormalization", f"{kind}-flat", [flat, plain(kind, (4,), kind)], opset)
            broadcast = [plain(kind, (2, 3, 4), kind), plain(kind, (3, 4), kind + "s"), plain(kind, (1, 4), kind + "b")]
            yield one("LayerNormalization", f"{kind}-broadcast", broadcast, opset)
    for opset in opsets("GroupNormalization"):
        for kind in types("GroupNormalization", opset):
            for groups in (1, 2, 4):
                size = 4 if opset >= 21 else groups
                yield one("GroupNormalization", f"{kind}-{groups}", [plain(kind, (2, 4, 3, 2), kind), plain(kind, (size,), "s"), plain(kind, (size,), "b")], opset, num_groups=groups)
    for opset in opsets("RMSNormalization"):
        for kind in types("RMSNormalization", opset):
            for axis in (None, 1, -2, 0):
                shape = (2, 3, 4)
                yield one("RMSNormalization", f"{kind}-{axis}", [plain(kind, shape, kind), plain(kind, shape[axis if axis is not None else -1:], "s")], opset, axis=axis)
    for opset in opsets("LRN"):
        for kind in types("LRN", opset):
            for size, more in [(3, {}), (2, {}), (5, {"alpha": 0.01, "beta": 0.5, "bias": 2.0}), (1, {})]:
                yield one("LRN", f"{kind}-{size}", [plain(kind, (2, 5, 2, 3), kind)], opset, size=size, **more)


def modern():
    for kind in types("Attention", 24, "T1"):
        for place, (heads, groups, causal) in enumerate([(2, 2, 0), (2, 1, 0), (2, 2, 1)]):
            for opset in (23, 24):
                q, k = plain(kind, (1, heads, 3, 4), "q"), plain(kind, (1, groups, 5, 4), "k")
                yield one("Attention", f"{kind}-{place}", [q, k, plain(kind, (1, groups, 5, 4), "v")], opset, is_causal=causal or None)
                mask = plain(kind, (3, 5), "m")
                yield one("Attention", f"{kind}-{place}-mask", [q, k, plain(kind, (1, groups, 5, 4), "v"), mask], opset, scale=0.5)
    for kind in types("RotaryEmbedding", 23):
        for interleaved in (0, 1):
            x = plain(kind, (1, 2, 3, 4), "r")
            cache = [plain(kind, (5, 2), "c"), plain(kind, (5, 2), "s")]
            yield one("RotaryEmbedding", f"{kind}-{interleaved}", [x, *cache, whole([[0, 2, 4]])], 23, interleaved=interleaved)


def all_specs():
    for group in (products, convolutions, pools, norms, modern):
        yield from group()
