"""Asks both models over the wire, with Triton's own clients: rain over REST, the lowest temperature over gRPC.

    client.py [ADDRESS]
"""

import json
import pathlib
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
KINDS = {"FP32": np.float32, "BYTES": np.object_}


def main() -> None:
    asked = json.loads((pathlib.Path(__file__).parent / "rain.json").read_text())["inputs"]
    columns = {each["name"]: np.array(each["data"], dtype=KINDS[each["datatype"]]) for each in asked}

    rest, inputs = tritonclient.http.InferenceServerClient(ADDRESS), []
    for each in asked:
        # Bytes on the wire, not JSON: the client's default.
        tensor = tritonclient.http.InferInput(each["name"], each["shape"], each["datatype"])
        tensor.set_data_from_numpy(columns[each["name"]].reshape(each["shape"]))
        inputs.append(tensor)
    rain = rest.infer("rain-tomorrow", inputs)

    x = np.stack([columns[name] for name in ("precipitation", "temp_max", "temp_min", "wind")], axis=1)
    matrix = tritonclient.grpc.InferInput("x", list(x.shape), "FP32")
    matrix.set_data_from_numpy(x)
    low = tritonclient.grpc.InferenceServerClient(ADDRESS).infer("low-tomorrow", [matrix])

    for day in zip(columns["weather"], rain.as_numpy("label"), rain.as_numpy("probabilities"), low.as_numpy("low")):
        weather, label, (_, chance), (lowest,) = day
        print(f"after {weather:<8} {label.decode():<5} {chance:.3f}  lowest {lowest:5.1f}")


if __name__ == "__main__":
    main()
