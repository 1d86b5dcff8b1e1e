#!/usr/bin/env bash
# ONNX Runtime: sums and products of whole numbers go through float64 and stop at the ends of their type.
#
# Versions  onnxruntime 1.31.1, onnx 1.19.1, numpy 2.3.5; Linux, x86-64.
# Run       `ReduceSum`, `ReduceProd`, `ReduceL1`, `ReduceSumSquare` (opset 18) on int64 and int32, and onnx's reference evaluator.
# Expected  Whole numbers: what NumPy and the reference give; 2^53 + 1 + 0 + 1 is 9007199254740994, int32 wraps.
# Seen      `ReduceSum` of [2^53 + 1, 0, 1] is 9007199254740992, two too few, and of [2^53, 1, 1] is right: numbers are rounded on
#           their way in. `ReduceProd` of [2^53 + 1, 1] is 2^53. `ReduceSum` of int32 [2147483647, 5] is 2147483647 (wrapped:
#           -2147483644), `ReduceProd` of int64 [3037000501, 3037000501] is 9223372036854775807: they stop at the end of the type.
# Why       Times in nanoseconds, ids and counters are beyond 2^53: a sum over one element changes it. Checksums and
#           hashes that rely on wrapping come out as the largest number.
# Here      The built-in engine gives ONNX Runtime's numbers in it, so that a box computes the same on both; docs/models.md says so.
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


def reduce(operator, kind, x, opset=18):
    value = helper.make_tensor_value_info
    axes = [helper.make_tensor("axes", TensorProto.INT64, [1], [0])]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "axes"], ["y"], keepdims=0)], "one", [value("x", kind, [len(x)])],
        [value("y", kind, [])], axes,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    x = {"x": np.array(x, np.int64 if kind == TensorProto.INT64 else np.int32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return int(session.run(None, x)[0]), int(ReferenceEvaluator(model).run(None, x)[0])


print("onnxruntime", onnxruntime.__version__)
same = True
INT64, INT32 = TensorProto.INT64, TensorProto.INT32
for operator, kind, x, described in (
    ("ReduceSum", INT64, [2**53, 1, 1], 2**53 + 2),
    ("ReduceSum", INT64, [2**53 + 1, 0, 1], 2**53),
    ("ReduceL1", INT64, [2**53 + 1, 1], 2**53),
    ("ReduceProd", INT64, [2**53 + 1, 1], 2**53),
    ("ReduceProd", INT64, [3037000501, 3037000501], 2**63 - 1),
    ("ReduceSumSquare", INT64, [94906267, 1], 9007199515875288),
    ("ReduceSum", INT32, [2**31 - 1, 5], 2**31 - 1),
):
    given, right = reduce(operator, kind, x)
    name = "int64" if kind == INT64 else "int32"
    print(f"{operator} of {name} {x}: ONNX Runtime {given}, reference {right}")
    same &= given == described and (given == right) == (x == [2**53, 1, 1])
sys.exit(0 if same else "changed: it is no longer as described")
PYTHON
