"""A runtime for MLServer, which has none for ONNX of its own."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from peer_model import PeerModel


class OnnxRuntime(MLModel):
    async def load(self) -> bool:
        self.model = PeerModel(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {}
        for tensor in payload.inputs:
            if tensor.datatype == "BYTES":
                inputs[tensor.name] = np.array(StringCodec.decode_input(tensor), dtype=np.object_).reshape(tensor.shape)
            else:
                inputs[tensor.name] = NumpyCodec.decode_input(tensor)
        outputs = []
        for name, value in self.model.run(inputs).items():
            if value.dtype == np.object_:
                outputs.append(StringCodec.encode_output(name, value.ravel().tolist()))
            else:
                outputs.append(NumpyCodec.encode_output(name, value))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
