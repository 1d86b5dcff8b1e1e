#!/usr/bin/env bash
# ONNX Runtime: a forest of two classes that scores both of them answers with labels that the model does not have.
#
# Versions  onnxruntime 1.31.1, onnx 1.19.1, numpy 2.3.5; Linux, x86-64.
# Run       `TreeEnsembleClassifier` (ai.onnx.ml 3) of one tree whose two leaves each hold a weight for class 0 and one
#           for class 1, post_transform NONE; labels [10, 20], then ["no", "yes"]. onnx.checker accepts it.
# Expected  The class with the highest score, which is what the definition says and onnx's reference evaluator gives:
#           scores [[0.9, 0.1], [0.2, 0.8]] are classes 10 and 20, `no` and `yes`.
# Seen      The scores are right, the labels are not. Whole numbers: [1, 1], neither of which is a label of the model.
#           Text: ["yes", "yes"]. The label is decided by "is the second score above zero", whatever the first one is,
#           and with whole numbers 1 or 0 is given instead of the label. No error, no warning.
# Why       Converters usually write a score for one of two classes only, which is right. Who builds the ensemble by
#           hand or with another exporter gets right probabilities and a wrong decision.
# Here      The built-in engine refuses such a forest when it is loaded.
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


def classify(labels):
    text = isinstance(labels[0], str)
    tree = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "score"], domain="ai.onnx.ml", post_transform="NONE",
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_values=[0.0, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0, 0, 0, 0], class_nodeids=[1, 1, 2, 2], class_ids=[0, 1, 0, 1],
        class_weights=[0.9, 0.1, 0.2, 0.8],
        **{"classlabels_strings" if text else "classlabels_int64s": labels},
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [tree], "forest", [value("x", TensorProto.FLOAT, [2, 1])],
        [value("label", TensorProto.STRING if text else TensorProto.INT64, [2]), value("score", TensorProto.FLOAT, [2, 2])],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=sets, ir_version=8)
    onnx.checker.check_model(model)
    x = {"x": np.array([[-1], [1]], np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [[list(part.tolist()) for part in run.run(None, x)] for run in (session, ReferenceEvaluator(model))]


print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
same = True
for labels, seen in (([10, 20], [1, 1]), (["no", "yes"], ["yes", "yes"])):
    (label, score), (right, _) = classify(labels)
    print(f"labels {labels}: scores {np.round(score, 3).tolist()}, ONNX Runtime {label}, reference {right}")
    same &= right == labels and label == seen and np.allclose(score, [[0.9, 0.1], [0.2, 0.8]])
sys.exit(0 if same else "changed: it is no longer as described")
PYTHON
