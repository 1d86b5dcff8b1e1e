"""Operators that move values."""

import itertools

import numpy as np
from onnx import helper

from .cells import TYPES, many, one, opsets, pick, types
from .values import plain, sharp, ties, whole

SOME = ["float32", "int64", "bool", "string", "float64", "uint8", "float16", "int32"]


def kinds(operator, opset, variable="T"):
    return types(operator, opset, variable)


def reshape():
    forms = [
        ((2, 3, 4), [6, 4], 0), ((2, 3, 4), [-1], 0), ((2, 3, 4), [0, -1], 0), ((2, 3, 4), [0, 0, 2, 2], 0), ((), [1, 1], 0), ((1,), [], 0),
        ((0, 3), [3, 0], 1), ((0, 3), [0, 5, -1], 0), ((2, 0), [0, 0], 1), ((6,), [2, -1, 1], 0),
    ]  # fmt: skip
    for opset in opsets("Reshape"):
        for kind in kinds("Reshape", opset):
            for place, (shape, to, zero) in enumerate(pick(forms, 10 if kind == "float32" else 2, f"{opset}{kind}")):
                if zero and opset < 14:
                    continue
                consts = [1] if place % 2 else []
                yield one("Reshape", f"{kind}-{place}", [sharp(kind, shape, kind), whole(to)], opset, consts=consts, allowzero=zero or None)


def transpose():
    for opset in opsets("Transpose"):
        for kind in kinds("Transpose", opset):
            for shape, perm in pick([((2, 3), None), ((2, 3, 4), None), ((2, 3, 4), [0, 2, 1]), ((2, 3, 4), [2, 0, 1]), ((2, 0, 4), [1, 2, 0]), ((), None), ((2, 1, 3, 2), [0, 3, 1, 2]), ((5,), [0])], 8 if kind == "float32" else 2, f"{opset}{kind}"):
                yield one("Transpose", f"{kind}-{len(shape)}-{perm}", [sharp(kind, shape, kind), ], opset, perm=perm)


BIG = 2**63 - 1


def slices():
    forms = [
        ((5, 6), [1], [4], [0], None), ((5, 6), [-3, 0], [BIG, 3], [0, 1], None), ((5, 6), [4, 5], [-BIG - 1, 0], [0, 1], [-1, -2]),
        ((5, 6), [0], [-1], [-1], [2]), ((5, 6), [3], [1], [0], None), ((5, 6), [1, 2], [3, 4], None, None), ((5, 6), [10], [20], [1], None),
        ((5, 6), [-100], [100], [1], [3]), ((0, 4), [0], [1], [0], None), ((5, 6), [2], [2], [0], None), ((5, 6), [5], [0], [-1], [-1]),
        ((2, 3, 4), [-1], [-5], [2], [-1]), ((5, 6), [], [], [], None), ((7,), [6], [-8], [0], [-3]),
    ]  # fmt: skip
    for opset in opsets("Slice"):
        for kind in kinds("Slice", opset):
            most = 14 if kind in ("float32", "int64") else 3
            for place, (shape, starts, ends, axes, steps) in enumerate(pick(forms, most, f"slice{opset}{kind}")):
                if opset < 10:
                    if steps is None and axes != []:
                        yield one("Slice", f"{kind}-{place}", [sharp(kind, shape, kind)], opset, starts=starts, ends=ends, axes=axes)
                    continue
                index = "int32" if place % 3 == 1 and max(map(abs, starts + ends), default=0) < 2**31 else "int64"
                inputs = [sharp(kind, shape, kind)] + [None if part is None else whole(part, index) for part in (starts, ends, axes, steps)]
                while inputs[-1] is None:
                    inputs.pop()
                consts = range(1, 5) if place % 2 else []
                yield one("Slice", f"{kind}-{place}", inputs, opset, consts=consts)


def gather():
    forms = [((5, 3), [0, 4, -1], 0), ((5, 3), [[0, 2], [1, -3]], 1), ((5, 3), 2, 0), ((2, 3, 4), [1], -1), ((4,), -1, 0), ((4,), [], 0), ((2, 3), [[1]], -2), ((0, 3), [0, 2], 1)]
    for opset in opsets("Gather"):
        for kind in kinds("Gather", opset):
            for place, (shape, at, axis) in enumerate(pick(forms, 8 if kind in ("float32", "int64") else 3, f"g{opset}{kind}")):
                for index in ("int64", "int32") if kind == "float32" else ("int64",):
                    consts = [1] if place % 2 else []
                    # ONNX Runtime loses texts along any axis but the last.
                    oracle = "reference" if kind == "string" and axis not in (-1, len(shape) - 1) else "ort"
                    yield one("Gather", f"{kind}-{place}-{index}", [sharp(kind, shape, kind), whole(at, index)], opset, consts=consts, axis=axis, oracle=oracle)
    for opset in opsets("GatherElements"):
        for kind in kinds("GatherElements", opset):
            for place, (shape, at, axis) in enumerate([((3, 3), [[1, 2, 0], [2, 0, 0]], 0), ((2, 3), [[0, -1], [2, 1]], 1), ((2, 3), [[0], [-2]], -1)]):
                for index in ("int64", "int32"):
                    yield one("GatherElements", f"{kind}-{place}-{index}", [sharp(kind, shape, kind), whole(at, index)], opset, axis=axis)
    for opset in opsets("GatherND"):
        for kind in kinds("GatherND", opset):
            forms = [((2, 3, 4), [[0, 1], [1, -1]], 0), ((2, 3, 4), [[[0, 1, 2]], [[1, 2, 3]]], 0), ((2, 3, 4), [[1], [0]], 1), ((2, 3), [[[0], [2]], [[1], [-1]]], 1), ((3,), [[0], [-1]], 0)]
            for place, (shape, at, batch) in enumerate(forms):
                if batch and opset < 12:
                    continue
                yield one("GatherND", f"{kind}-{place}", [sharp(kind, shape, kind), whole(at)], opset, batch_dims=batch or None)


def scatter():
    for opset in opsets("ScatterElements"):
        for kind in kinds("ScatterElements", opset):
            for reduction in [None, "none", "add", "mul", "max", "min"]:
                if reduction and opset < (18 if reduction in ("max", "min") else 16):
                    continue
                for place, (shape, at, axis) in enumerate([((3, 3), [[1, 0, 2], [0, 2, 1]], 0), ((1, 5), [[1, 3]], 1), ((2, 4), [[-1, 0], [2, -2]], -1), ((1, 5), [[1, 1, 1]], 1)]):
                    if place == 3 and reduction in (None, "none"):
                        continue
                    at = whole(at, "int32" if place == 1 else "int64")
                    inputs = [plain(kind, shape, f"{kind}{place}"), at, plain(kind, at.shape, f"{kind}{place}u")]
                    yield one("ScatterElements", f"{kind}-{reduction}-{place}", inputs, opset, axis=axis, reduction=reduction)
    for opset in opsets("ScatterND"):
        for kind in kinds("ScatterND", opset):
            for reduction in [None, "add", "mul", "max", "min"]:
                if reduction and opset < (18 if reduction in ("max", "min") else 16):
                    continue
                for place, (shape, at) in enumerate([((8,), [[4], [3], [-1], [7 - 6]]), ((4, 2, 2), [[0], [2]]), ((2, 3), [[0, 1], [1, 2]]), ((4, 3), [[1], [1]])]):
                    if place == 3 and reduction is None:
                        continue
                    at = whole(at)
                    updates = at.shape[:-1] + shape[at.shape[-1]:]
                    inputs = [plain(kind, shape, f"{kind}{place}"), at, plain(kind, updates, f"{kind}{place}u")]
                    yield one("ScatterND", f"{kind}-{reduction}-{place}", inputs, opset, reduction=reduction)
    for kind in ("float32", "int64", "bool"):
        yield one("Scatter", kind, [sharp(kind, (3, 3), kind), whole([[1, 0, 2]]), sharp(kind, (1, 3), kind + "u")], 9)


def concat():
    forms = [([(2, 3), (2, 3)], 0), ([(2, 3), (2, 1)], 1), ([(2, 3), (2, 2), (2, 1)], -1), ([(2, 3)], 0), ([(0, 3), (2, 3)], 0), ([(2, 0), (2, 2)], 1), ([(3,), (2,)], 0), ([(0,), (0,)], 0)]
    for opset in opsets("Concat"):
        for kind in kinds("Concat", opset):
            for place, (shapes, axis) in enumerate(pick(forms, 8 if kind == "float32" else 3, f"c{opset}{kind}")):
                inputs = [sharp(kind, shape, f"{kind}{i}") for i, shape in enumerate(shapes)]
                yield one("Concat", f"{kind}-{place}", inputs, opset, consts=[1] if place % 3 == 0 and len(shapes) > 1 else [], axis=axis)


def split():
    forms = [((6, 2), 0, None, 3), ((6, 2), 0, [1, 2, 3], 3), ((2, 7), -1, [7, 0], 2), ((2, 6), 1, None, 2), ((4,), 0, None, 1), ((0, 2), 0, [0, 0], 2)]
    for opset in opsets("Split"):
        for kind in kinds("Split", opset):
            for place, (shape, axis, parts, count) in enumerate(pick(forms, 6 if kind == "float32" else 2, f"s{opset}{kind}")):
                x = sharp(kind, shape, kind)
                label = f"{kind}-{place}"
                if opset < 13:
                    yield one("Split", label, [x], opset, count, axis=axis, split=parts)
                elif parts is not None:
                    yield one("Split", label, [x, whole(parts)], opset, count, consts=[1] if place % 2 else [], axis=axis)
                elif opset < 18:
                    yield one("Split", label, [x], opset, count, axis=axis)
                else:
                    yield one("Split", label, [x], opset, count, axis=axis, num_outputs=count)
        if opset >= 18:
            yield one("Split", "uneven", [sharp("float32", (7, 2), "u")], opset, 3, axis=0, num_outputs=3)
            yield one("Split", "uneven-2", [sharp("float32", (2, 5), "u")], opset, 4, axis=-1, num_outputs=4)


def axes_operators():
    for operator, forms in {
        "Squeeze": [((1, 3, 1), [0]), ((1, 3, 1), [-1, 0]), ((1, 3, 1), None), ((1, 1), [1]), ((0, 1), [1])],
        "Unsqueeze": [((3,), [0]), ((3, 4), [0, 3]), ((3, 4), [-1]), ((), [0]), ((3, 4), [2, 0]), ((2,), [-3, -1]), ((0,), [0])],
    }.items():
        for opset in opsets(operator):
            for kind in kinds(operator, opset):
                for place, (shape, axes) in enumerate(pick(forms, 7 if kind == "float32" else 2, f"{operator}{opset}{kind}")):
                    x = sharp(kind, shape, kind)
                    if opset < 13:
                        if axes is not None and min(axes) < 0 and opset < 11:
                            continue
                        yield one(operator, f"{kind}-{place}", [x], opset, axes=axes)
                    else:
                        inputs = [x] if axes is None else [x, whole(axes)]
                        yield one(operator, f"{kind}-{place}", inputs, opset, consts=[1] if place % 2 else [])
    for opset in opsets("Flatten"):
        for kind in kinds("Flatten", opset):
            for shape, axis in pick([((2, 3, 4), None), ((2, 3, 4), 0), ((2, 3, 4), 3), ((2, 3, 4), -1), ((2, 0, 4), 2), ((3,), 1), ((), 0)], 7 if kind == "float32" else 2, kind):
                if axis is not None and axis < 0 and opset < 11:
                    continue
                yield one("Flatten", f"{kind}-{len(shape)}-{axis}", [sharp(kind, shape, kind)], opset, axis=axis)


def growing():
    for opset in opsets("Expand"):
        for kind in kinds("Expand", opset):
            for place, (shape, to) in enumerate(pick([((3, 1), [3, 4]), ((3, 1), [2, 1, 6]), ((), [2, 2]), ((1, 3), [0, 3]), ((3,), [1]), ((2, 3), [1, 1]), ((1,), [])], 7 if kind == "float32" else 3, kind)):
                yield one("Expand", f"{kind}-{place}", [sharp(kind, shape, kind), whole(to)], opset, consts=[1] if place % 2 else [])
    for opset in opsets("Tile"):
        for kind in kinds("Tile", opset):
            for place, (shape, times) in enumerate(pick([((2, 3), [2, 2]), ((2, 3), [1, 1]), ((2, 3), [0, 2]), ((4,), [3]), ((1, 2, 1), [2, 1, 3]), ((0,), [3]), ((2, 1, 1), [1, 3, 2])], 7 if kind == "float32" else 3, kind)):
                yield one("Tile", f"{kind}-{place}", [sharp(kind, shape, kind), whole(times)], opset, consts=[1] if place % 2 else [])


def pad():
    forms = [((3, 4), [1, 2, 0, 1]), ((3, 4), [0, 0, 0, 0]), ((3, 4), [-1, 1, 1, -1]), ((2, 3, 4), [0, 1, 2, 0, 0, 1]), ((5,), [2, 2]), ((3, 4), [0, 3, 0, 3])]
    for opset in opsets("Pad"):
        for kind in kinds("Pad", opset):
            for mode in ["constant", "reflect", "edge", "wrap"]:
                if mode == "wrap" and opset < 19:
                    continue
                for place, (shape, pads) in enumerate(pick(forms, 6 if kind == "float32" else 2, f"{kind}{mode}{opset}")):
                    x = sharp(kind, shape, kind)
                    label = f"{kind}-{mode}-{place}"
                    if opset < 11:
                        yield one("Pad", label, [x], opset, mode=mode, pads=pads, value=1.5 if place % 2 else None)
                        continue
                    value = plain(kind, (), "v") if mode == "constant" and place % 2 else None
                    inputs = [x, whole(pads)] + ([value] if value is not None else [])
                    yield one("Pad", label, inputs, opset, consts=[1, 2] if place % 3 else [], mode=mode)
        if opset >= 18:
            for axes, pads in [([1], [2, 1]), ([-1, 0], [1, 0, 2, 1])]:
                yield one("Pad", f"axes-{axes}", [sharp("float32", (3, 4), "a"), whole(pads), np.float32(7), whole(axes)], opset)
    yield one("Pad", "empty", [np.zeros((0, 2), np.float32), whole([1, 0, 1, 0])], 13)


def shape_of():
    for opset in opsets("Shape"):
        for kind in kinds("Shape", opset):
            for shape in [(2, 3, 4), (), (0, 5)]:
                yield one("Shape", f"{kind}-{len(shape)}", [sharp(kind, shape, kind)], opset)
                yield one("Size", f"{kind}-{len(shape)}", [sharp(kind, shape, kind)], max(opset, 7))
        if opset >= 15:
            for start, end in [(1, None), (-1, None), (0, -1), (1, 2), (2, 1), (-10, 10), (None, 1)]:
                yield one("Shape", f"part-{start}-{end}", [sharp("float32", (2, 3, 4), "s")], opset, start=start, end=end)


def making():
    for opset in opsets("Range"):
        for kind in kinds("Range", opset):
            for a, b, step in [(0, 5, 1), (1, 10, 3), (5, 0, -2), (3, 3, 1), (0, 5, -1), (0.5, 2, 0.25), (-2, 2, 1)]:
                if TYPES[kind].kind != "f" and isinstance(a, float):
                    continue
                inputs = [np.array(v, TYPES[kind]) for v in (a, b, step)]
                yield one("Range", f"{kind}-{a}-{b}-{step}", inputs, opset, consts=[2] if a == 1 else [])
    for opset in opsets("OneHot"):
        for indices, depth, values in itertools.product(["int64", "int32", "float32", "uint8"], ["int64", "int32", "float32"], ["float32", "int64", "int32", "bool", "string", "float64", "uint8"]):
            for axis in (-1, 0, 1):
                at = np.array([[0, 2], [1, 5]] if indices == "uint8" else [[0, -1], [2, 5]], TYPES[indices])
                pair = np.array(["off", "on"], object) if values == "string" else np.array([0, 1] if values == "bool" else [2, 5], TYPES[values])
                yield one("OneHot", f"{indices}-{depth}-{values}-{axis}", [at, np.array(3, TYPES[depth]), pair], opset, consts=[1] if axis else [], axis=axis)
    for opset in opsets("EyeLike"):
        for kind in kinds("EyeLike", opset, "T1"):
            for k in (None, 1, -2):
                for to in (None, 1, 7, 11, 9):
                    yield one("EyeLike", f"{kind}-{k}-{to}", [plain(kind, (3, 4), kind)], opset, k=k, dtype=to)
    for opset in opsets("Trilu"):
        for kind in kinds("Trilu", opset):
            for upper in (None, 0, 1):
                for k in (None, 0, 1, -2, 10, -10):
                    inputs = [sharp(kind, (2, 3, 4), kind)] + ([] if k is None else [np.array(k, np.int64)])
                    yield one("Trilu", f"{kind}-{upper}-{k}", inputs, opset, consts=[1] if k else [], upper=upper)
    for opset in opsets("NonZero"):
        for kind in kinds("NonZero", opset):
            for shape in [(2, 3), (4,), (), (0, 2), (2, 2, 2)]:
                yield one("NonZero", f"{kind}-{len(shape)}", [ties(kind, shape, kind) if kind not in ("bool", "string") else plain(kind, shape, kind)], opset)
        yield one("NonZero", "sharp", [sharp("float32", (5, 6), "nz")], opset)


def blocks():
    for opset in opsets("DepthToSpace"):
        for kind in kinds("DepthToSpace", opset):
            for mode in (None, "DCR", "CRD"):
                if mode and opset < 11:
                    continue
                yield one("DepthToSpace", f"{kind}-{mode}", [sharp(kind, (2, 8, 2, 3), kind)], opset, blocksize=2, mode=mode)
    for opset in opsets("SpaceToDepth"):
        for kind in kinds("SpaceToDepth", opset):
            yield one("SpaceToDepth", kind, [sharp(kind, (1, 2, 4, 6), kind)], opset, blocksize=2)
    for opset in opsets("ReverseSequence"):
        for kind in kinds("ReverseSequence", opset):
            for batch, time in [(None, None), (0, 1), (1, 0)]:
                yield one("ReverseSequence", f"{kind}-{batch}", [sharp(kind, (4, 4, 2), kind), whole([1, 3, 4, 2])], opset, batch_axis=batch, time_axis=time)
    for opset in opsets("Compress"):
        for kind in kinds("Compress", opset):
            for axis, count in [(None, 12), (0, 2), (1, 3), (-1, 4), (0, 3)]:
                yield one("Compress", f"{kind}-{axis}-{count}", [sharp(kind, (3, 4), kind), plain("bool", (count,), f"{axis}")], opset, axis=axis)
    for opset in opsets("Unique"):
        for kind in kinds("Unique", opset):
            for axis in (None, 0, 1):
                for order in (0, 1):
                    yield one("Unique", f"{kind}-{axis}-{order}", [ties(kind, (4, 3), kind) if kind not in ("bool", "string") else plain(kind, (4, 3), kind)], opset, 4, axis=axis, sorted=order)


def top():
    for opset in opsets("TopK"):
        for kind in kinds("TopK", opset):
            for largest, order in [(1, 1), (0, 1), (1, 0)]:
                for place, (shape, axis, k) in enumerate([((3, 7), -1, 3), ((5, 2), 0, 2), ((4,), 0, 4), ((2, 3, 4), 1, 1), ((3, 5), 1, 0)]):
                    if opset < 11 and (not largest or not order):
                        continue
                    # Sorted by value; among equals the lower index is first. Unsorted, the order is nobody's promise.
                    if not order and k > 1:
                        continue
                    x = ties(kind, shape, kind) if place % 2 else sharp(kind, shape, kind + str(place))
                    if x.dtype.kind == "f":
                        x = np.nan_to_num(x, nan=2.0, posinf=np.inf, neginf=-np.inf).astype(x.dtype)
                    extra = {"largest": largest, "sorted": order} if opset >= 11 else {}
                    label = f"{kind}-{largest}{order}-{place}"
                    if opset < 10:
                        yield one("TopK", label, [x], opset, 2, axis=axis, k=k)
                    else:
                        yield one("TopK", label, [x, whole([k])], opset, 2, consts=[1] if place % 2 else [], axis=axis, **extra)
    for largest in (0, 1):
        # With NaN, ONNX Runtime gives no order at all; ONNX's evaluator takes it for the largest.
        x = np.array([1, np.nan, 3, -np.inf, np.inf, 0.0, -2.0, 0.5], np.float32)
        yield one("TopK", f"nan-{largest}", [x, whole([4])], 11, 2, oracle="reference", largest=largest)
        yield one("TopK", f"nan-all-{largest}", [x, whole([8])], 11, 2, oracle="reference", largest=largest)


def texts():
    """Chains that carry text through."""
    x = np.array([["a", "b"], ["", "äö"]], object)
    chain = [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("Concat", ["t", "x"], ["c"], axis=1), helper.make_node("Gather", ["c", "i"], ["y"], axis=1)]
    yield many("Transpose", "text-chain", chain, {"x": x}, {"i": whole([3, 0])}, ["y"])
    for opset in (19, 21):
        yield one("Equal", "text", [x, np.array(["a", "äö"], object)], opset)
    yield one("StringConcat", "text", [x, np.array(["-", "+"], object)], 20)
    yield one("RegexFullMatch", "text", [x], 20, pattern="a|b")


def all_specs():
    for group in (reshape, transpose, slices, gather, scatter, concat, split, axes_operators, growing, pad, shape_of, making, blocks, top, texts):
        yield from group()
