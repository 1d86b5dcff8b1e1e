"""The same requests to Trackside, to Triton 2.51 and to MLServer 1.7.1, and what each answered.

    differential.py ADDRESS MODELS PEERS

ADDRESS is a Trackside that serves the models of main.rs, MODELS the folder in which they lie, PEERS one into which
benches/peers/serving/install.py has installed the servers. A line for each case in which not all three answer alike. Every one of them must
stand in MEANT with its reason, and nothing may stand there that they agree on: 0 means that.
"""

import gzip, json, pathlib, shutil, struct, sys, tempfile, urllib.error, urllib.request, zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "benches/peers/serving"))

import grpc  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402

import peers  # noqa: E402
from differences import MEANT  # noqa: E402
from install import install  # noqa: E402

HEAD = "Inference-Header-Content-Length"
MODELS = ["two", "most", "scores", "pump"]


def tensor(name, data, shape=None, datatype="FP32", **others):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data} | others


PAIR = [tensor("a", [1, 2.5, 3, 4], [2, 2]), tensor("b", [0.5, -1, 0, 2], [2, 2])]
HALVES = struct.pack("<4f", 1, 2.5, 3, 4), struct.pack("<4f", 0.5, -1, 0, 2)
KINDS = {
    "bool": [True, False], "uint8": [0, 255], "uint16": [0, 65535], "uint32": [0, 2**32 - 1], "uint64": [0, 2**64 - 1],
    "int8": [-128, 127], "int16": [-32768, 32767], "int32": [-(2**31), 2**31 - 1], "int64": [-(2**63), 2**63 - 1],
    "fp32": [0.5, -1.25], "fp64": [0.1, -1e300], "bytes": ["", "é😀"],
}
# As the model has them.
ORDER = [*list(KINDS)[:9], "fp16", *list(KINDS)[9:]]


def of_all_kinds(**changed):
    """A request to `most`: FP16 has no form in JSON and goes as bytes, both ways."""
    inputs = [tensor(kind, data, datatype=kind.upper()) for kind, data in (KINDS | changed).items()]
    inputs.append({"name": "fp16", "datatype": "FP16", "shape": [2], "parameters": {"binary_data_size": 4}})
    outputs = [{"name": f"out_{kind}", "parameters": {"binary_data": kind == "fp16"}} for kind in ORDER]
    return binary({"inputs": inputs, "outputs": outputs}, struct.pack("<2e", 0.5, -2))


def pair(first=None, second=None, **others):
    return {"inputs": [PAIR[0] | (first or {}), PAIR[1] | (second or {})]} | others


def binary(head, tail, length=None):
    head = json.dumps(head).encode()
    return head + tail, {HEAD: str(len(head) if length is None else length)}


def as_binary(first=None, **others):
    inputs = [{key: value for key, value in each.items() if key != "data"} for each in PAIR]
    sizes = [{"parameters": {"binary_data_size": 16}} for _ in inputs]
    inputs = [each | size for each, size in zip(inputs, sizes)]
    return {"inputs": [inputs[0] | (first or {}), inputs[1]]} | others


CASES = {}


def infer(name, body, headers=None, model="two"):
    if isinstance(body, tuple):
        body, headers = body[0], body[1] | (headers or {})
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    CASES[name] = ("POST", f"/v2/models/{model}/infer", body, headers or {})


def ask(name, method, path, body=b""):
    CASES[name] = (method, path, body, {})


ask("live", "GET", "/v2/health/live")
ask("ready", "GET", "/v2/health/ready")
ask("a model's readiness", "GET", "/v2/models/two/ready")
ask("readiness of a version", "GET", "/v2/models/two/versions/1/ready")
ask("readiness of no model", "GET", "/v2/models/none/ready")
ask("readiness of no version", "GET", "/v2/models/two/versions/9/ready")
ask("metadata of the server", "GET", "/v2")
ask("metadata", "GET", "/v2/models/two")
ask("metadata of a version", "GET", "/v2/models/two/versions/1")
ask("metadata of no model", "GET", "/v2/models/none")
ask("metadata of no version", "GET", "/v2/models/two/versions/9")
ask("metadata of a version that is no number", "GET", "/v2/models/two/versions/x")
ask("configuration", "GET", "/v2/models/two/config")
ask("statistics", "GET", "/v2/models/two/stats")
ask("statistics of no model", "GET", "/v2/models/none/stats")
ask("index of the repository", "POST", "/v2/repository/index")
ask("index of what is ready", "POST", "/v2/repository/index", b'{"ready": true}')
ask("load of no model", "POST", "/v2/repository/models/none/load")
ask("shared memory", "GET", "/v2/systemsharedmemory/status")
ask("no such address", "GET", "/v2/nothing")
ask("inference by GET", "GET", "/v2/models/two/infer")
ask("readiness by POST", "POST", "/v2/health/ready")

infer("flat data", pair())
infer("nested data", pair({"data": [[1, 2.5], [3, 4]]}, {"data": [[0.5, -1], [0, 2]]}))
infer("an id", pair(id="seven"))
infer("one output", pair(outputs=[{"name": "difference"}]))
infer("both outputs, turned round", pair(outputs=[{"name": "difference"}, {"name": "sum"}]))
infer("no outputs asked for", pair(outputs=[]))
infer("inputs turned round", {"inputs": PAIR[::-1]})
infer("no Content-Type", pair(), {"Content-Type": ""})
infer("Content-Type of a text", pair(), {"Content-Type": "text/plain"})
infer("parameters that nobody knows", pair(parameters={"shoe": 42}))
infer("keys that nobody knows", pair(shoe=42))
infer("a timeout", pair(parameters={"timeout": 10_000_000}))
infer("an empty batch", pair({"shape": [0, 2], "data": []}, {"shape": [0, 2], "data": []}))
infer("gzip", (gzip.compress(json.dumps(pair()).encode()), {"Content-Encoding": "gzip"}))
infer("deflate", (zlib.compress(json.dumps(pair()).encode()), {"Content-Encoding": "deflate"}))
infer("an encoding that nobody knows", pair(), {"Content-Encoding": "br"})
infer("gzip that is none", pair(), {"Content-Encoding": "gzip"})
infer("all kinds", of_all_kinds(), model="most")
infer("bytes in, JSON out", binary(as_binary(), b"".join(HALVES)))
infer("bytes in and out", binary(as_binary(parameters={"binary_data_output": True}), b"".join(HALVES)))
infer("JSON in, bytes out", pair(parameters={"binary_data_output": True}))
infer("one output as bytes", pair(outputs=[{"name": "sum", "parameters": {"binary_data": True}}, {"name": "difference"}]))
infer(
    "an output that says otherwise",
    pair(
        parameters={"binary_data_output": True},
        outputs=[{"name": "sum", "parameters": {"binary_data": False}}, {"name": "difference"}],
    ),
)
infer("one input as bytes", binary({"inputs": [as_binary()["inputs"][0], PAIR[1]]}, HALVES[0]))
infer("raw", (struct.pack("<12f", *range(12)), {HEAD: "0"}), model="pump")
infer("raw for two inputs", (HALVES[0], {HEAD: "0"}))
infer("classification", {
    "inputs": [tensor("x", [0.25, 1, 0.5, 0], [1, 4])],
    "outputs": [{"name": "y", "parameters": {"classification": 2}}],
}, model="scores")
infer("a zero character in a text", of_all_kinds(bytes=["a\0b", ""]), model="most")
infer("truth values as numbers", of_all_kinds(bool=[1, 0]), model="most")
infer("truth value 2", of_all_kinds(bool=[2, 0]), model="most")
infer("whole numbers with a point", of_all_kinds(int32=[1.0, 2.0]), model="most")
infer("a fraction for a whole number", of_all_kinds(int32=[1.5, 2]), model="most")
infer("300 as UINT8", of_all_kinds(uint8=[300, 0]), model="most")
infer("-1 as UINT64", of_all_kinds(uint64=[-1, 0]), model="most")
infer("1e39 as FP32", pair({"data": [1e39, 0, 0, 0]}))
infer("not a number, a bare word", pair({"data": [float("nan"), 0, 0, 0]}))
infer("not a number, a text", pair({"data": ["NaN", 0, 0, 0]}))

infer("unknown model", pair(), model="none")
infer("unknown version", pair(), model="two/versions/9")
infer("a version", pair(), model="two/versions/1")
infer("no body", b"")
infer("no JSON", b"{nothing")
infer("a list", b"[]")
infer("no inputs", {"id": "1"})
infer("inputs that are no list", {"inputs": {}})
infer("an input without a name", {"inputs": [{"datatype": "FP32", "shape": [1], "data": [1]}]})
infer("an input without a shape", {"inputs": [{"name": "a", "datatype": "FP32", "data": [1]}, PAIR[1]]})
infer("an input without data", {"inputs": [{"name": "a", "datatype": "FP32", "shape": [2, 2]}, PAIR[1]]})
infer("an input is missing", {"inputs": PAIR[:1]})
infer("an input too many", {"inputs": [*PAIR, tensor("c", [1], [1, 1])]})
infer("an input twice", {"inputs": [PAIR[0], *PAIR]})
infer("another datatype", pair({"datatype": "INT64", "data": [1, 2, 3, 4]}))
infer("a datatype that there is not", pair({"datatype": "FLOAT"}))
infer("another rank", pair({"shape": [4]}))
infer("shapes that do not go together", pair({"shape": [1, 4]}, {"shape": [1, 3], "data": [1, 2, 3]}))
infer("too few columns for the model", {"inputs": [tensor("x", [1, 2, 3], [1, 3])]}, model="scores")
infer("less data than the shape says", pair({"data": [1, 2, 3]}))
infer("more data than the shape says", pair({"data": [1, 2, 3, 4, 5]}))
infer("data nested otherwise than the shape", pair({"data": [[1], [2.5, 3, 4]]}))
infer("a negative dimension", pair({"shape": [-2, -2]}))
infer("a dimension that is no whole number", pair({"shape": [2.5, 2]}))
infer("a dimension that is a text", pair({"shape": ["2", 2]}))
infer("a text for a number", pair({"data": ["one", 2, 3, 4]}))
infer("a number for a text", of_all_kinds(bytes=[1, 2]), model="most")
infer("null for a number", pair({"data": [None, 2, 3, 4]}))
infer("an output that there is not", pair(outputs=[{"name": "product"}]))
infer("an output twice", pair(outputs=[{"name": "sum"}, {"name": "sum"}]))
infer("a key twice", b'{"id": "1", "id": "2",' + json.dumps(pair()).encode()[1:])
infer("bytes too few", binary(as_binary(), b"".join(HALVES)[:-1]))
infer("bytes too many", binary(as_binary(), b"".join(HALVES) + b"x"))
infer("a size beside the shape", binary(as_binary({"parameters": {"binary_data_size": 12}}), b"".join(HALVES)[4:]))
infer("a negative size", binary(as_binary({"parameters": {"binary_data_size": -16}}), b"".join(HALVES)))
infer("a head longer than the body", binary(as_binary(), b"".join(HALVES), 1 << 20))
infer("a negative head", binary(as_binary(), b"".join(HALVES), -1))
infer("a head of letters", binary(as_binary(), b"".join(HALVES), "many"))
infer("bytes and data", binary(as_binary({"data": [1, 2, 3, 4]}), b"".join(HALVES)))


def rest(address, case):
    """One line for the answer: a status, and what matters of the body."""
    method, path, body, headers = case
    headers = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(f"http://{address}{path}", body if method == "POST" else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return told(path, answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return told(path, error.code, error.headers, error.read())
    except OSError as error:
        return f"no answer ({type(error).__name__})"


def told(path, status, headers, body):
    if status != 200:
        try:
            error = json.loads(body)["error"]
            return f"{status}" if isinstance(error, str) and error else f"{status} without a text"
        except (ValueError, KeyError, TypeError):
            return f"{status} without {{\"error\": …}}"
    if not path.endswith("/infer"):
        return f"200 {about(path, json.loads(body) if body else None)}".strip()
    length = int(headers.get(HEAD) or len(body))
    answer, rest_of_it, outputs = json.loads(body[:length]), body[length:], []
    for output in answer["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            data = json.dumps(flat(output["data"]), ensure_ascii=False)
        else:
            data, rest_of_it = rest_of_it[:size].hex(), rest_of_it[size:]
        outputs.append(f"{output['name']} {output['datatype']} {output['shape']} {data}")
    spare = f" and {len(rest_of_it)} bytes more" if rest_of_it else ""
    return f"200 {answer['model_name']} {answer.get('model_version')} {given_id(answer.get('id'))}{'; '.join(outputs)}{spare}"


def given_id(text):
    """An id of the server's own making (MLServer has one for every answer) says nothing."""
    return f"id {text} " if text and len(text) < 10 else ""


def about(path, answer):
    """What other routes say that clients depend on."""
    if answer is None:
        return "nothing"
    if path.endswith(("/stats", "/config", "/v2")):
        return "JSON"
    if path.endswith("/index"):
        return " ".join(sorted(f"{each['name']} {each.get('state')}" for each in answer if each["name"] in MODELS))
    if not isinstance(answer, dict) or "inputs" not in answer:
        return "JSON"
    ports = [f"{port['name']} {port['datatype']} {port['shape']}" for port in answer["inputs"] + answer["outputs"]]
    return f"{answer['name']} {answer.get('versions')} {', '.join(ports)}"


def flat(data):
    return [each for part in data for each in flat(part)] if isinstance(data, list) else [data]


def as_message(inputs, raw=(), outputs=(), model="two", version="", **others):
    message = service_pb2.ModelInferRequest(model_name=model, model_version=version, **others)
    for name, shape, data in inputs:
        each = message.inputs.add(name=name, datatype="FP32", shape=shape)
        if data is not None:
            each.contents.fp32_contents.extend(data)
    message.raw_input_contents.extend(raw)
    for name in outputs:
        message.outputs.add(name=name)
    return message


BARE = [("a", [2, 2], None), ("b", [2, 2], None)]
TYPED = [("a", [2, 2], [1, 2.5, 3, 4]), ("b", [2, 2], [0.5, -1, 0, 2])]
CALLS = {
    "gRPC: live": ("ServerLive", service_pb2.ServerLiveRequest()),
    "gRPC: a model's readiness": ("ModelReady", service_pb2.ModelReadyRequest(name="two")),
    "gRPC: readiness of no model": ("ModelReady", service_pb2.ModelReadyRequest(name="none")),
    "gRPC: metadata of no model": ("ModelMetadata", service_pb2.ModelMetadataRequest(name="none")),
    "gRPC: configuration of no model": ("ModelConfig", service_pb2.ModelConfigRequest(name="none")),
    "gRPC: raw": ("ModelInfer", as_message(BARE, HALVES)),
    "gRPC: typed": ("ModelInfer", as_message(TYPED)),
    "gRPC: an id": ("ModelInfer", as_message(TYPED, id="seven")),
    "gRPC: one output": ("ModelInfer", as_message(TYPED, outputs=["difference"])),
    "gRPC: both outputs, turned round": ("ModelInfer", as_message(TYPED, outputs=["difference", "sum"])),
    "gRPC: raw and typed": ("ModelInfer", as_message(TYPED, HALVES)),
    "gRPC: raw for one of two": ("ModelInfer", as_message(BARE, HALVES[:1])),
    "gRPC: raw too short": ("ModelInfer", as_message(BARE, [HALVES[0][:-1], HALVES[1]])),
    "gRPC: typed too short": ("ModelInfer", as_message([("a", [2, 2], [1]), TYPED[1]])),
    "gRPC: an input is missing": ("ModelInfer", as_message(TYPED[:1])),
    "gRPC: an input twice": ("ModelInfer", as_message([TYPED[0], *TYPED])),
    "gRPC: an input too many": ("ModelInfer", as_message([*TYPED, ("c", [1, 1], [1])])),
    "gRPC: another rank": ("ModelInfer", as_message([("a", [4], [1, 2, 3, 4]), TYPED[1]])),
    "gRPC: an output that there is not": ("ModelInfer", as_message(TYPED, outputs=["product"])),
    "gRPC: unknown model": ("ModelInfer", as_message(TYPED, model="none")),
    "gRPC: unknown version": ("ModelInfer", as_message(TYPED, version="9")),
    "gRPC: a version": ("ModelInfer", as_message(TYPED, version="1")),
    "gRPC: shared memory": ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest()),
    "gRPC: a negative dimension": ("ModelInfer", as_message([("a", [-2, -2], [1, 2, 3, 4]), TYPED[1]])),
}


def call(address, method, message):
    with grpc.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            answer = getattr(stub, method)(message, timeout=30)
        except grpc.RpcError as error:
            return error.code().name
    if method != "ModelInfer":
        return f"OK {' '.join(str(getattr(answer, name)) for name in ('live', 'ready') if hasattr(answer, name))}".strip()
    outputs = []
    for at, output in enumerate(answer.outputs):
        data = struct.pack(f"<{len(output.contents.fp32_contents)}f", *output.contents.fp32_contents)
        data = answer.raw_output_contents[at] if answer.raw_output_contents else data
        outputs.append(f"{output.name} {output.datatype} {list(output.shape)} {data.hex()}")
    return f"OK {answer.model_name} {answer.model_version} {given_id(answer.id)}{'; '.join(outputs)}"


def main():
    address, folder, place = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    models = {name: folder / f"{name}.onnx" for name in MODELS}
    installed, answers = install(place, {}), {}
    # Models load when they are needed, and Triton's when it starts.
    for name in MODELS:
        rest(address, ("GET", f"/v2/models/{name}/ready", b"", {}))
    ask_all(answers, address, address)
    for start in (peers.triton(installed), peers.mlserver(installed)):
        room = pathlib.Path(tempfile.mkdtemp(prefix="differential-"))
        server = start(room, models)
        try:
            ask_all(answers, f"127.0.0.1:{server.rest}", f"127.0.0.1:{server.grpc}")
        finally:
            server.end()
            shutil.rmtree(room)
    return judge(answers)


def ask_all(answers, address, grpc_address):
    for name, case in CASES.items():
        answers.setdefault(name, []).append(rest(address, case))
    for name, (method, message) in CALLS.items():
        answers.setdefault(name, []).append(call(grpc_address, method, message))


def judge(answers):
    wrong = 0
    for name, (ours, triton, mlserver) in answers.items():
        differs = {peer for peer, answer in (("Triton", triton), ("MLServer", mlserver)) if answer != ours}
        meant = MEANT.get(name, {})
        for peer in sorted(differs | meant.keys()):
            answer = triton if peer == "Triton" else mlserver
            if peer not in differs:
                verdict, why = "AGREES", "differences.py says that it differs"
            else:
                verdict, why = ("meant", meant[peer]) if peer in meant else ("DIFFERS", "")
            wrong += verdict != "meant"
            print(f"{verdict} | {name} | Trackside: {ours} | {peer}: {answer} | {why}")
    for name in MEANT.keys() - answers.keys():
        wrong += 1
        print(f"UNKNOWN | {name}")
    print(f"{len(answers)} requests, {wrong} that differ and are not meant to")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 1))
