"""Operators along axes."""

import numpy as np

from .cells import TYPES, many, one, opsets, pick, types
from .values import plain, positive, sharp, ties, whole

REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"]
FORMS = [
    ((2, 3, 4), [1], 1), ((2, 3, 4), [0, 2], 0), ((2, 3, 4), None, 1), ((2, 3, 4), None, 0), ((2, 3, 4), [-1], 0), ((5,), [0], 0),
    ((2, 3, 2, 2), [-3, -1], 1), ((), None, 0), ((2, 0, 3), [0], 1), ((2, 3), [0, 1], 1), ((2, 3, 4), [2, 0], 1), ((1, 8), [1], 1),
]  # fmt: skip


def reductions():
    for operator in REDUCTIONS:
        for opset in opsets(operator):
            for kind in types(operator, opset):
                for place, (shape, axes, keep) in enumerate(pick(FORMS, 10 if kind in ("float32", "int64") else 4, f"{operator}{opset}{kind}")):
                    if axes and min(axes) < 0 and opset < 11:
                        continue
                    key = f"{kind}-{place}"
                    x = positive(kind, shape, key) if operator == "ReduceLogSum" else plain(kind, shape, key)
                    as_input = opset >= (13 if operator == "ReduceSum" else 18)
                    keepdims = None if keep and place % 2 else keep
                    if not as_input:
                        yield one(operator, key, [x], opset, axes=axes, keepdims=keepdims)
                    else:
                        inputs = [x] if axes is None else [x, whole(axes)]
                        yield one(operator, key, inputs, opset, consts=[1] if place % 2 else [], keepdims=keepdims)
                    if place < 3 and operator in ("ReduceMax", "ReduceMin", "ReduceSum", "ReduceMean", "ReduceProd", "ReduceLogSumExp"):
                        y = sharp(kind, shape, key)
                        if kind == "int64" and axes is None and operator in ("ReduceSum", "ReduceMean"):
                            # ONNX Runtime sums in float64, in an order of its own.
                            y = np.clip(y, -(2**40), 2**40)
                        inputs = [y] if axes is None or not as_input else [y, whole(axes)]
                        # With NaN, ONNX Runtime's answer depends on where it lies and on the processor's vectors.
                        lost = operator in ("ReduceMax", "ReduceMin", "ReduceLogSumExp") and y.dtype.kind == "f" and np.isnan(y).any()
                        # From this version on ONNX Runtime computes the definition, which overflows.
                        lost = lost or operator == "ReduceLogSumExp" and opset >= 28
                        oracle = "reference" if lost else "ort"
                        yield one(operator, key + "-sharp", inputs, opset, oracle=oracle, axes=None if as_input else axes, keepdims=keep)
                if opset >= (13 if operator == "ReduceSum" else 18):
                    for noop in (0, 1):
                        key = f"{kind}-noop{noop}"
                        yield one(operator, key, [plain(kind, (2, 3), key)], opset, noop_with_empty_axes=noop)
                        yield one(operator, key + "-empty", [plain(kind, (2, 3), key), whole([])], opset, noop_with_empty_axes=noop)


def arguments():
    for operator in ("ArgMax", "ArgMin"):
        for opset in opsets(operator):
            for kind in types(operator, opset):
                for last in (0, 1) if opset >= 12 else (None,):
                    for place, (shape, axis, keep) in enumerate([((3, 8), 1, 1), ((6, 2), 0, 0), ((2, 5, 3), 1, 1), ((9,), None, 0), ((2, 6), -1, 0)]):
                        if axis is not None and axis < 0 and opset < 11:
                            continue
                        key = f"{kind}-{last}-{place}"
                        yield one(operator, key, [ties(kind, shape, key)], opset, axis=axis, keepdims=keep, select_last_index=last)
                    yield one(operator, f"{kind}-{last}-sharp", [sharp(kind, (3, 8), kind)], opset, axis=1, select_last_index=last)
        for place, row in enumerate([[1, np.nan, 3], [np.nan, 1, np.nan], [np.inf, np.nan, np.inf], [np.nan] * 3, [-np.inf, np.nan, 0]]):
            yield one(operator, f"nan-{place}", [np.array([row], np.float32)], 13, axis=1)


def softmaxes():
    for operator in ("Softmax", "LogSoftmax", "Hardmax"):
        for opset in opsets(operator):
            for kind in types(operator, opset):
                for shape, axis in [((3, 5), None), ((2, 3, 4), None), ((2, 3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((6,), 0), ((2, 2, 2, 3), 2), ((0, 3), 1), ((2, 3, 4), -2)]:
                    if axis is not None and axis < 0 and opset < 11:
                        continue
                    key = f"{kind}-{len(shape)}-{shape[0]}-{axis}"
                    x = ties(kind, shape, key) if operator == "Hardmax" else plain(kind, shape, key, 3.0)
                    yield one(operator, key, [x], opset, axis=axis)
                for place, row in enumerate([[1000, 1001, 999], [-1000, 0, 1000], [np.inf, 0, 1], [-np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1], [88, -88, 60000]]):
                    with np.errstate(over="ignore"):
                        yield one(operator, f"{kind}-sharp-{place}", [np.array([row], TYPES[kind])], opset, axis=1)


def running():
    for opset in opsets("CumSum"):
        for kind in types("CumSum", opset):
            for exclusive in (0, 1):
                for reverse in (0, 1):
                    for place, (shape, axis) in enumerate([((2, 3), 0), ((2, 3), -1), ((5,), 0), ((2, 0), 1), ((2, 3, 2), 1)]):
                        at = np.array(axis, np.int32 if place % 2 else np.int64)
                        key = f"{kind}-{exclusive}{reverse}-{place}"
                        yield one("CumSum", key, [plain(kind, shape, key), at], opset, consts=[1] if place % 2 else [], exclusive=exclusive, reverse=reverse)
    for kind in types("CumProd", 26):
        for exclusive in (0, 1):
            yield one("CumProd", f"{kind}-{exclusive}", [plain(kind, (2, 3), kind), whole(1)], 26, exclusive=exclusive)


def norms():
    for opset in opsets("LpNormalization"):
        for kind in types("LpNormalization", opset):
            for axis in (None, 0, 1):
                for p in (None, 1, 2):
                    yield one("LpNormalization", f"{kind}-{axis}-{p}", [plain(kind, (3, 4), kind)], opset, axis=axis, p=p)
            yield one("LpNormalization", f"{kind}-zero", [np.zeros((2, 3), TYPES[kind])], opset)
    for opset in opsets("MeanVarianceNormalization", oldest=9):
        for axes in (None, [1], [0, 2, 3]):
            yield one("MeanVarianceNormalization", f"{axes}", [plain("float32", (2, 3, 2, 2), "mvn")], opset, axes=axes)
    for opset in opsets("Det"):
        for kind in types("Det", opset):
            yield one("Det", kind, [plain(kind, (2, 3, 3), kind)], opset)


def all_specs():
    for group in (reductions, arguments, softmaxes, running, norms):
        yield from group()
