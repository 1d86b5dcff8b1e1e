"""Proves cells: what ONNX Runtime makes of them with and without its optimisations, which must agree."""

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from .cells import build

ort.set_default_logger_severity(4)

KINDS = {
    "float": TensorProto.FLOAT, "double": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16, "string": TensorProto.STRING,
    "bool": TensorProto.BOOL,
} | {name: getattr(TensorProto, name.upper()) for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()}  # fmt: skip


class SetAside(Exception):
    """A cell that proves nothing."""


def session(model, optimised):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def same(a, b):
    """Closer than what a kernel is allowed to be off."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    relative, absolute = {2: (3e-3, 1e-3), 4: (1e-4, 1e-6), 8: (1e-9, 1e-12)}[a.dtype.itemsize]
    with np.errstate(all="ignore"):
        return np.allclose(a.astype(np.float64), b.astype(np.float64), relative, absolute, equal_nan=True)


def tensor_type(text):
    if not text.startswith("tensor("):
        raise SetAside("an output is no tensor")
    if text[7:-1] not in KINDS:
        raise SetAside("an output has a type that NumPy lacks")
    return KINDS[text[7:-1]]


def evaluate(model, feeds, outputs):
    """Both of ONNX Runtime's answers, which agree."""
    try:
        plain, fast = session(model, False), session(model, True)
        first = plain.run(outputs, feeds)
    except Exception as error:
        raise SetAside(f"ONNX Runtime refuses it: {str(error).splitlines()[0][:160]}") from None
    try:
        second = fast.run(outputs, feeds)
    except Exception:
        raise SetAside("ONNX Runtime fails with its optimisations alone") from None
    first, second = ([np.asarray(value) for value in values] for values in (first, second))
    if not all(same(a, b) for a, b in zip(first, second)):
        raise SetAside("ONNX Runtime differs from itself with its optimisations")
    return plain, first


def prove(spec):
    """The model's bytes with its outputs' types, and the expected outputs."""
    draft = build(spec).SerializeToString()
    try:
        typed = session(draft, False)
    except Exception as error:
        raise SetAside(f"ONNX Runtime refuses it: {str(error).splitlines()[0][:160]}") from None
    kinds = {output.name: tensor_type(output.type) for output in typed.get_outputs()}
    model = build(spec, kinds)
    if spec.oracle == "reference":
        with np.errstate(all="ignore"):
            expected = ReferenceEvaluator(model).run(spec.outputs, spec.feeds)
    else:
        _, expected = evaluate(model.SerializeToString(), spec.feeds, spec.outputs)
    wanted = [helper.tensor_dtype_to_np_dtype(kinds[name]) for name in spec.outputs]
    values = [np.asarray(value) for value in expected]
    for value, dtype in zip(values, wanted):
        if value.dtype != dtype and dtype != object and value.dtype.kind not in "USO":
            raise SetAside("the evaluator gives another type")
    return model.SerializeToString(), dict(zip(spec.outputs, values))
