"""What Triton's Python back end runs: the wheel has no back end for ONNX."""

import os
import sys

import numpy as np
import triton_python_backend_utils as utils

sys.path.insert(0, os.environ["PEERS_SCRIPTS"])
from peer_model import PeerModel  # noqa: E402


class TritonPythonModel:
    def initialize(self, args: dict) -> None:
        self.model = PeerModel(os.path.join(args["model_repository"], args["model_version"], "model.onnx"))

    def execute(self, requests: list) -> list:
        answers = []
        for request in requests:
            inputs = {name: utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.model.inputs}
            for name, (datatype, _) in self.model.inputs.items():
                if datatype == "BYTES":
                    texts = [text.decode() for text in inputs[name].ravel()]
                    inputs[name] = np.array(texts, dtype=np.object_).reshape(inputs[name].shape)
            try:
                outputs = self.model.run(inputs)
            except Exception as error:  # noqa: BLE001
                answers.append(utils.InferenceResponse(error=utils.TritonError(str(error), utils.TritonError.INVALID_ARG)))
                continue
            answers.append(utils.InferenceResponse([utils.Tensor(name, value) for name, value in outputs.items()]))
        return answers
