"""FastAPI and onnxruntime, as one writes it by hand in half an hour: the JSON form of the Open Inference Protocol and its binary
extension. The model's folder, `NAME/1/model.onnx` below it, is in PEERS_MODELS.
"""

import os
import pathlib

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

from peer_model import PeerModel

HEADER = "inference-header-content-length"

app = FastAPI()
models = {path.name: PeerModel(str(path / "1" / "model.onnx")) for path in pathlib.Path(os.environ["PEERS_MODELS"]).iterdir()}


@app.get("/v2/health/ready")
async def ready() -> dict:
    return {"ready": True}


def texts_of(raw: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        texts.append(raw[at + 4 : end].decode())
        at = end
    return texts


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: Request) -> Response:
    model, body = models[name], await request.body()
    length = int(request.headers.get(HEADER, len(body)))
    asked, at, inputs = orjson.loads(body[:length]), length, {}
    for tensor in asked["inputs"]:
        kind = model.inputs[tensor["name"]][1]
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            data = np.array(tensor["data"], dtype=kind)
        elif kind is np.object_:
            data = np.array(texts_of(body[at : at + size]), dtype=kind)
        else:
            data = np.frombuffer(body[at : at + size], dtype=kind)
        at += size or 0
        inputs[tensor["name"]] = data.reshape(tensor["shape"])
    binary = asked.get("parameters", {}).get("binary_data_output", False)
    outputs, tail = [], []
    for output, value in model.run(inputs).items():
        datatype = model.outputs[output][0]
        told = {"name": output, "datatype": datatype, "shape": value.shape}
        if binary:
            if datatype == "BYTES":
                raw = b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in value.ravel())
            else:
                raw = value.tobytes()
            tail.append(raw)
            told["parameters"] = {"binary_data_size": len(raw)}
        else:
            told["data"] = value.ravel().tolist()
        outputs.append(told)
    head = orjson.dumps({"model_name": name, "model_version": "1", "outputs": outputs})
    if not binary:
        return Response(head, media_type="application/json")
    return Response(head + b"".join(tail), media_type="application/octet-stream", headers={HEADER: str(len(head))})
