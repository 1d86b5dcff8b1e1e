#!/usr/bin/env bash
# ONNX Runtime: `Gather` of texts gives the first text of each row and empty ones for the rest.
#
# Versions  onnxruntime 1.31.1, onnx 1.19.1, numpy 2.3.5; Linux, x86-64.
# Run       `Gather` (opset 13) on the 2 x 3 texts [[pump, on, A1], [valve, off, B2]], along axis 0 and axis 1, and the same
#           on a matrix of int64. onnx.checker accepts the models.
# Expected  Whole rows, as for numbers, in NumPy and in onnx's reference evaluator: row 1 is [valve, off, B2].
# Seen      Row 1 is ["valve", "", ""]; rows 1 and 0 are ["valve", "", ""], ["pump", "", ""]. Along the last axis, where
#           single texts are taken, the answer is right; so are numbers along any axis. No error, no warning.
# Why       Tables of names, units or advice that a model looks up by class are matrices of text; a table of one column works,
#           and the second column comes out empty.
# Here      The built-in engine takes `Gather` of texts along the last axis only, and refuses the rest when it is loaded.
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

ROWS = [["pump", "on", "A1"], ["valve", "off", "B2"]]


def gather(kind, rows, axis, index):
    """What ONNX Runtime and the reference give."""
    value = helper.make_tensor_value_info
    x, at = np.array(rows), np.array(index, np.int64)
    made = np.take(x, at, axis)
    node = helper.make_node("Gather", ["x", "at"], ["y"], axis=axis)
    graph = helper.make_graph(
        [node], "one", [value("x", kind, x.shape), value("at", TensorProto.INT64, at.shape)], [value("y", kind, made.shape)]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    given = {"x": x.astype(object) if kind == TensorProto.STRING else x, "at": at}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)[0].tolist(), ReferenceEvaluator(model).run(None, given)[0].tolist()


print("onnxruntime", onnxruntime.__version__)
same = True
for axis, index, described in (
    (0, [1], [["valve", "", ""]]),
    (0, [1, 0], [["valve", "", ""], ["pump", "", ""]]),
    (0, 1, ["valve", "", ""]),
    (1, [2, 0], [["A1", "pump"], ["B2", "valve"]]),
):
    given, right = gather(TensorProto.STRING, ROWS, axis, index)
    print(f"texts, axis {axis}, index {index}: ONNX Runtime {given}, reference {right}")
    same &= given == described and (given == right) == (axis == 1)
    given, right = gather(TensorProto.INT64, [[1, 2, 3], [4, 5, 6]], axis, index)
    print(f"int64, axis {axis}, index {index}: ONNX Runtime {given}, reference {right}")
    same &= given == right
sys.exit(0 if same else "changed: it is no longer as described")
PYTHON
