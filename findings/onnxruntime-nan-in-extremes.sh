#!/usr/bin/env bash
# ONNX Runtime: whether a NaN is seen by `ReduceMax` and `ReduceMin` depends on where it stands, and `Clip` without bounds
# changes infinities.
#
# Versions  onnxruntime 1.31.1, onnx 1.19.1, numpy 2.3.5; Linux, x86-64.
# Run       `ReduceMax`, `ReduceMin` (opset 13, one axis) on [0, 1, 2] with one element replaced by NaN; `Clip` (opset 13) on
#           [inf, -inf] without bounds, and with one of the two.
# Expected  NaN at every place, as in NumPy and onnx's reference evaluator; a bound that is left out bounds nothing.
# Seen      NaN in front gives NaN; anywhere else it is passed over: [0, NaN, 2] gives 2, [0, 1, NaN] gives 1.
#           `Clip` without any bound gives [3.4028235e38, -3.4028235e38]: a bound that is left out is the greatest finite number.
# Why       A missing reading that is stored as NaN turns into a clean score or not, by its place in the row; a test that
#           puts the NaN in front proves the wrong thing.
# Here      The built-in engine does not take part in it: what it cannot be held to is refused.
#
# Exits 0 while it is as described, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.31.1 onnx==1.19.1 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

NAN, INF, MOST = float("nan"), float("inf"), float(np.finfo(np.float32).max)


def run(operator, x, shape, bounds=None, **attributes):
    """What ONNX Runtime and the reference give."""
    value = helper.make_tensor_value_info
    names, constants = ["x"], []
    for name, bound in (bounds or {}).items():
        names.append("" if bound is None else name)
        if bound is not None:
            constants.append(helper.make_tensor(name, TensorProto.FLOAT, [], [bound]))
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)], "one", [value("x", TensorProto.FLOAT, [len(x)])],
        [value("y", TensorProto.FLOAT, shape)], constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    x = {"x": np.array(x, np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, x)[0], ReferenceEvaluator(model).run(None, x)[0]


print("onnxruntime", onnxruntime.__version__)
same = True
for operator, described in (("ReduceMax", [NAN, 2, 1]), ("ReduceMin", [NAN, 0, 0])):
    for place, expected in enumerate(described):
        x = [NAN if at == place else at for at in range(3)]
        given, right = run(operator, x, [], axes=[0], keepdims=0)
        print(f"{operator} of {x}: ONNX Runtime {given}, reference {right}")
        same &= np.array_equal(given, np.float32(expected), equal_nan=True) and np.isnan(right)
for bounds, described in (
    ({}, [MOST, -MOST]),
    ({"lower": -5.0}, [MOST, -5]),
    ({"lower": None, "upper": 5.0}, [5, -MOST]),
):
    given, _ = run("Clip", [INF, -INF], [2], bounds)
    print(f"Clip of [inf, -inf] with {bounds}: ONNX Runtime {given.tolist()}")
    same &= np.array_equal(given, np.array(described, np.float32))
sys.exit(0 if same else "changed: it is no longer as described")
PYTHON
