"""The ONNX graph: scaling, autoencoder, reconstruction error, calibration. Only operators that every engine has."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from series import WINDOW


def build(mean: float, deviation: float, layers, limit: float, alert: float) -> onnx.ModelProto:
    """x: float32 [n, WINDOW], litres per second -> score: float32 [n].

    score = sqrt(mean((autoencoder(z) - z)^2)) / limit  with  z = (x - mean) / deviation
    """
    constants, nodes = [], []

    def constant(name: str, value) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def node(op: str, inputs: list[str], output: str, **attributes) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    centred = node("Sub", ["x", constant("mean", mean)], "centred")
    z = node("Mul", [centred, constant("inverse_deviation", 1.0 / deviation)], "z")
    value = z
    for index, (weights, bias) in enumerate(layers):
        product = node("MatMul", [value, constant(f"weights_{index}", weights)], f"product_{index}")
        value = node("Add", [product, constant(f"bias_{index}", bias)], f"sum_{index}")
        if index + 1 < len(layers):
            value = node("Tanh", [value], f"hidden_{index}")
    difference = node("Sub", [value, z], "difference")
    square = node("Mul", [difference, difference], "square")
    square_mean = node("ReduceMean", [square], "square_mean", axes=[1], keepdims=0)
    error = node("Sqrt", [square_mean], "error")
    node("Mul", [error, constant("inverse_limit", 1.0 / limit)], "score")

    model = helper.make_model(
        helper.make_graph(
            nodes,
            "pump-anomaly",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WINDOW])],
            [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
            constants,
        ),
        producer_name="trackside pump-watch",
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        doc_string=f"Anomaly score of {WINDOW} consecutive hours of water flow; 1 = the limit of what healthy hours show.",
    )
    helper.set_model_props(
        model,
        {
            "data": "river 0.26.1, water-flow.csv, 2022-03-20 to 2022-04-25, known anomalies left out",
            "data_licence": "BSD-3-Clause",
            "input": f"{WINDOW} hourly values in litres per second, oldest first",
            "alert_above": f"{alert:g}",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model
