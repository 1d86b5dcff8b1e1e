"""ONNX's own backend node tests."""

import numpy as np
from onnx import TensorProto, numpy_helper

from . import prove


def array(value):
    """A tensor of the tests as NumPy has it; what is none as it is."""
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def arrays(data_set):
    return [value if isinstance(value, np.ndarray) else None for value in map(array, data_set)]


def all_cells(aside, reasons):
    """Operator, name, model, inputs and outputs of each that holds tensors alone and that ONNX Runtime, where it runs
    it, agrees with."""
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        model = case.model
        operators = {node.op_type for node in model.graph.node}
        operator = model.graph.node[-1].op_type if len(operators) == 1 else "several"
        def leave(why):
            aside[why] += 1
            reasons.append(f"{case.name}\t{why}\n")
        for given, wanted in case.data_sets:
            if any(operator.startswith("Random") or operator in ("Bernoulli", "Multinomial") for operator in operators):
                leave("a node test is random")
                continue
            names = [value.name for value in model.graph.input], [value.name for value in model.graph.output]
            values = arrays(given), arrays(wanted)
            if any(value is None for value in values[0] + values[1]):
                leave("a node test has sequences")
                continue
            feeds, outputs = (dict(zip(n, v)) for n, v in zip(names, values))
            known = all(v.dtype.name in prove_types() or v.dtype == object or v.dtype.kind in "US" for v in [*feeds.values(), *outputs.values()])
            if not known:
                leave("a node test has a type that Trackside does not carry")
                continue
            data = model.SerializeToString()
            try:
                found = prove.session(data, False).run(list(outputs), feeds)
            except Exception:
                found = None
            if found is not None and not all(close(np.asarray(a), b, case) for a, b in zip(found, outputs.values())):
                leave("ONNX Runtime differs from a node test")
                continue
            yield operator, f"node/{case.name}", data, feeds, outputs


def all_cases():
    """All of them but the random ones, with what ONNX says is right, whatever ONNX Runtime makes of it."""
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        operators = {node.op_type for node in case.model.graph.node}
        if any(operator.startswith("Random") or operator in ("Bernoulli", "Multinomial") for operator in operators):
            continue
        operator = case.model.graph.node[-1].op_type if len(operators) == 1 else "several"
        for given, wanted in case.data_sets:
            feeds = dict(zip([value.name for value in case.model.graph.input], map(array, given)))
            outputs = dict(zip([value.name for value in case.model.graph.output], map(array, wanted)))
            yield operator, f"node/{case.name}", case.model.SerializeToString(), feeds, outputs


def prove_types():
    from .archive import NAMES

    return NAMES


def close(a, b, case):
    if a.dtype != b.dtype and not (a.dtype.kind in "OUS" and b.dtype.kind in "OUS"):
        return False
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "OUS":
        return [str(x) for x in a.flatten()] == [str(x) for x in b.flatten()]
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    with np.errstate(all="ignore"):
        return np.allclose(a.astype(np.float64), b.astype(np.float64), max(case.rtol, 1e-3), max(case.atol, 1e-5), equal_nan=True)
