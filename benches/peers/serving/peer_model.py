"""A model on ONNX Runtime as a careful Python server runs it: what all peers that are written in Python have in common."""

from __future__ import annotations

import numpy as np
import onnxruntime

KINDS = {"tensor(float)": ("FP32", np.float32), "tensor(int64)": ("INT64", np.int64), "tensor(string)": ("BYTES", np.object_)}


class PeerModel:
    """Inputs, outputs and a session of one thread."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        # Two cores are shared with the load generator: more threads cost every one of these servers more than they bring.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = {port.name: KINDS[port.type] for port in self.session.get_inputs()}
        self.outputs = {port.name: KINDS[port.type] for port in self.session.get_outputs()}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = list(self.outputs)
        return dict(zip(names, self.session.run(names, inputs), strict=True))
