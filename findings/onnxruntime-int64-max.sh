#!/usr/bin/env bash
# ONNX Runtime on x86-64: `Max`, `Min` and `Clip` of int64 compare wrongly, so that the later of two times can be the earlier.
#
# Versions  onnxruntime 1.31.1, onnx 1.19.1, numpy 2.3.5; Linux, x86-64 (the arm64 build has other code).
# Run       `Max`, `Min`, `Clip` (opset 17) on int64 tensors of two elements, values in milliseconds since 1970.
# Expected  What NumPy gives.
# Seen      Max(2147483648, 0) is 0, Clip(2147483648, min=0) is 0. With times, Max(1763084077008, 1760936592360) is
#           1760936592360, the earlier one, and Min gives the later one. A tensor of one element is right, and so is
#           `Greater`. Wrong are pairs whose upper 32 bits are equal and whose lower ones differ in their highest bit: those
#           are compared as signed numbers. In milliseconds that is a change of side every 25 days. No error, no warning.
# Why       Random 64-bit numbers never show it (their upper halves differ), small ones neither: tests pass, and for
#           weeks the numbers are right. The library's vector code for SSE2 is to blame; a repair is under way upstream.
# Here      ONNX Runtime's answers are given as they are: a model that does so should compare with `Greater` and `Where`.
#
# Exits 0 while it is as described, 1 when it has changed.
set -euo pipefail
[ "$(uname -m)" = x86_64 ] || { echo "not run: it was seen on x86-64 alone"; exit 0; }
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


def run(operator, *inputs, result=TensorProto.INT64):
    """`operator` of these int64 tensors."""
    inputs = {f"i{at}": np.array(values, np.int64) for at, values in enumerate(inputs)}
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), ["y"])], "one",
        [value(name, TensorProto.INT64, list(array.shape)) for name, array in inputs.items()],
        [value("y", result, list(inputs["i0"].shape))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0].tolist()


print("onnxruntime", onnxruntime.__version__)
later, earlier, big = 1763084077008, 1760936592360, 2**31
seen = [
    ("Max", run("Max", [later] * 2, [earlier] * 2), [earlier] * 2),
    ("Min", run("Min", [later] * 2, [earlier] * 2), [later] * 2),
    ("Max with 0", run("Max", [big] * 2, [0] * 2), [0, 0]),
    ("Clip at 0", run("Clip", [big] * 2, 0), [0, 0]),
    # These are right.
    ("Max of one", run("Max", [later], [earlier]), [later]),
    ("Greater", run("Greater", [later] * 2, [earlier] * 2, result=TensorProto.BOOL), [True, True]),
]
for name, given, _ in seen:
    print(f"{name}: {given}")
sys.exit(0 if all(given == described for _, given, described in seen) else "changed: it is no longer as described")
PYTHON
