"""A model on ONNX Runtime as a careful Python server runs it: what all peers that are written in Python have in common."""

from __future__ import annotations

import numpy as np
import onnxruntime

KINDS = {
    "tensor(bool)": ("BOOL", np.bool_),
    "tensor(uint8)": ("UINT8", np.uint8),
    "tensor(uint16)": ("UINT16", np.uint16),
    "tensor(uint32)": ("UINT32", np.uint32),
    "tensor(uint64)": ("UINT64", np.uint64),
    "tensor(int8)": ("INT8", np.int8),
    "tensor(int16)": ("INT16", np.int16),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(int64)": ("INT64", np.int64),
    "tensor(float16)": ("FP16", np.float16),
    "tensor(float)": ("FP32", np.float32),
    "tensor(double)": ("FP64", np.float64),
    "tensor(string)": ("BYTES", np.object_),
}


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
