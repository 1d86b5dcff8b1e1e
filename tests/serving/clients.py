"""The protocol as real clients speak it: tritonclient (HTTP and gRPC), grpcio's health and reflection clients, and plain HTTP.

    clients.py ADDRESS

The server must have the models that main.rs makes: `types`, `two`, `scores`, `pump`, `slow`, `broken`.
"""

import gzip, json, queue, socket, struct, time, urllib.error, urllib.request, zlib

import grpc
import ml_dtypes
import numpy as np
import tritonclient.grpc as tg
import tritonclient.http as th
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.utils import InferenceServerException

from cases import ADDRESS, CASES, case, run

# Everything that tritonclient calls a datatype, and how it is in numpy.
TYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64, "INT8": np.int8,
    "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "FP16": np.float16, "BF16": ml_dtypes.bfloat16, "FP32": np.float32,
    "FP64": np.float64, "BYTES": np.object_,
}


def both(function):
    """A case for both transports of tritonclient."""
    for transport in (th, tg):
        def one(transport=transport):
            function(transport, transport.InferenceServerClient(ADDRESS))
        one.__name__ = f"{function.__name__}[{transport.__name__.rsplit('.', 1)[1]}]"
        CASES.append(one)
    return function


def given(transport, name, array, datatype=None, **how):
    from tritonclient.utils import np_to_triton_dtype
    tensor = transport.InferInput(name, list(array.shape), datatype or np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array, **how)
    return tensor


def refused(function, *statuses):
    """The text of a refusal with one of these statuses."""
    try:
        function()
    except InferenceServerException as error:
        status = str(error.status())
        assert any(status.endswith(str(one)) for one in statuses), f"status {status}: {error.message()}"
        text = error.message()
        assert isinstance(text, str) and text and "exception occurred in the client" not in text, text
        return text
    raise AssertionError("it was not refused")


def http(method, path, body=b"", headers=None):
    """Status, headers and body, through a client that adds nothing that matters."""
    request = urllib.request.Request(f"http://{ADDRESS}{path}", data=body or None, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def infer_raw(model, body, headers=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http("POST", f"/v2/models/{model}/infer", body, headers)


def values(datatype):
    """A few values that are hard on a wire."""
    if datatype == "BYTES":
        return np.array([b"", b"a b", "é😀".encode(), b"x" * (1 << 20)], dtype=np.object_)
    if datatype == "BOOL":
        return np.array([True, False, True, True])
    numpy = TYPES[datatype]
    if datatype in ("FP16", "BF16", "FP32", "FP64"):
        return np.array([0.1, -0.0, np.inf, np.nan], dtype=numpy)
    limits = np.iinfo(numpy)
    return np.array([limits.min, limits.max, 1, limits.max - 1], dtype=numpy)


def same(one, other):
    if one.dtype == np.object_:
        as_bytes = lambda array: [value if isinstance(value, bytes) else value.encode() for value in array.reshape(-1)]
        return one.shape == other.shape and as_bytes(one) == as_bytes(other)
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


# 1, 2
@both
def health(transport, client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("two")


# 3: a model that can not be loaded is not ready; the server is.
@both
def a_model_that_is_not_ready(transport, client):
    assert client.is_model_ready("broken") is False and client.is_server_ready()


# 4
@case
def server_metadata_is_the_same_on_both_transports():
    rest, rpc = th.InferenceServerClient(ADDRESS).get_server_metadata(), tg.InferenceServerClient(ADDRESS).get_server_metadata()
    assert rest["name"] == rpc.name and rest["version"] == rpc.version and rest["extensions"] == list(rpc.extensions)
    assert {"binary_tensor_data", "model_repository", "statistics"} <= set(rest["extensions"])


# 5, 6
@case
def model_metadata_is_the_models_own():
    rest, rpc = th.InferenceServerClient(ADDRESS), tg.InferenceServerClient(ADDRESS)
    told = rest.get_model_metadata("two")
    assert told["inputs"] == [
        {"name": "a", "datatype": "FP32", "shape": [-1, -1]}, {"name": "b", "datatype": "FP32", "shape": [-1, -1]}], told
    assert told["versions"] == ["1"]
    also = rpc.get_model_metadata("two")
    assert [(one.name, one.datatype, list(one.shape)) for one in also.inputs] == [("a", "FP32", [-1, -1]), ("b", "FP32", [-1, -1])]
    assert rest.get_model_metadata("two", model_version="1") == told
    assert rest.get_model_metadata("two", model_version="champion") == told
    refused(lambda: rest.get_model_metadata("two", model_version="7"), 404)
    refused(lambda: rpc.get_model_metadata("two", model_version="7"), "NOT_FOUND")


# 7, 8, 10
@both
def inference_in_every_form(transport, client):
    a, b = np.array([[1, 2.5], [3, 4]], np.float32), np.array([[0.5, 1], [-1, 8]], np.float32)
    forms = [(True, None), (False, False), (True, False), (False, True)] if transport is th else [(None, None)]
    for binary, wanted in forms:
        how = {} if binary is None else {"binary_data": binary}
        outputs = None if wanted is None else [transport.InferRequestedOutput("sum", binary_data=wanted)]
        result = client.infer("two", [given(transport, "a", a, **how), given(transport, "b", b, **how)], outputs=outputs)
        assert same(result.as_numpy("sum"), a + b), (binary, wanted)


# 9, 11, 12
@case
def flat_and_nested_data_are_the_same():
    answers = []
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        body = {"inputs": [{"name": name, "shape": [2, 2], "datatype": "FP32", "data": data} for name in "ab"]}
        answers.append(infer_raw("two", body))
    assert answers[0][0] == 200 and answers[0][2] == answers[1][2], answers
    assert json.loads(answers[0][2])["outputs"][0]["data"] == [2.0, 4.0, 6.0, 8.0]


@case
def outputs_choose_their_form_one_by_one():
    client = th.InferenceServerClient(ADDRESS)
    a = np.ones((1, 2), np.float32)
    for first, second in ((True, False), (False, True), (True, True)):
        outputs = [th.InferRequestedOutput("difference", binary_data=first), th.InferRequestedOutput("sum", binary_data=second)]
        # One input as bytes and one in the JSON.
        result = client.infer("two", [given(th, "a", a, binary_data=second), given(th, "b", a, binary_data=first)], outputs=outputs)
        assert same(result.as_numpy("sum"), a + a) and same(result.as_numpy("difference"), a - a)
        assert [one["name"] for one in result.get_response()["outputs"]] == ["difference", "sum"]
    length, body = None, {"inputs": [{"name": name, "shape": [1, 1], "datatype": "FP32", "data": [1]} for name in "ab"],
        "outputs": [{"name": "sum", "parameters": {"binary_data": False}}, {"name": "difference"}],
        "parameters": {"binary_data_output": True}}
    status, headers, answer = infer_raw("two", body)
    length = int(headers["Inference-Header-Content-Length"])
    told = json.loads(answer[:length])
    assert status == 200 and told["outputs"][0]["data"] == [2.0] and told["outputs"][1]["parameters"] == {"binary_data_size": 4}
    assert struct.unpack("<f", answer[length:]) == (0.0,)


# 13, 14, 15, 17, 18
@both
def every_datatype_comes_back_bit_for_bit(transport, client):
    inputs = [given(transport, name.lower(), values(name), name) for name in TYPES]
    result = client.infer("types", inputs)
    for name in TYPES:
        assert same(result.as_numpy("out_" + name.lower()), values(name)), name


@both
def a_text_with_a_zero_character_comes_back_or_is_refused_in_words(transport, client):
    text = np.array([b"a\0b"], dtype=np.object_)
    inputs = [given(transport, name.lower(), text if name == "BYTES" else values(name)[:0], name) for name in TYPES]
    try:
        assert same(client.infer("types", inputs).as_numpy("out_bytes"), text)
    except InferenceServerException as error:
        assert "zero character" in error.message() and "INVALID_ARGUMENT" in str(error.status()) or str(error.status()) == "400"


@case
def every_datatype_with_a_form_in_json():
    client = th.InferenceServerClient(ADDRESS)
    plain = {"BYTES": np.array([b"", b"\"\\\n", "é😀".encode(), b"x"], dtype=np.object_)}
    inputs = [given(th, name.lower(), plain.get(name, values(name)), name, binary_data=name in ("FP16", "BF16")) for name in TYPES]
    outputs = [th.InferRequestedOutput("out_" + name.lower(), binary_data=name in ("FP16", "BF16")) for name in TYPES]
    result = client.infer("types", inputs, outputs=outputs)
    for name in TYPES:
        assert same(result.as_numpy("out_" + name.lower()), plain.get(name, values(name))), name
    half = given(th, "fp16", values("FP16"), "FP16", binary_data=False)
    assert "binary_data_size" in refused(lambda: client.infer("types", [half]), 400)


@case
def floats_that_are_no_numbers_in_json():
    for data in ('["NaN", "Infinity", "-Infinity", 1]', "[NaN, Infinity, -Infinity, 1]"):
        body = '{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": %s}]}' % data
        status, _, answer = infer_raw("scores", body.encode())
        assert (status, json.loads(answer)["outputs"][0]["data"]) == (200, ["NaN", "Infinity", "-Infinity", 1.0]), answer


# 16
@case
def booleans_are_words_or_0_and_1():
    everything = {name.lower(): {"name": name.lower(), "shape": [0], "datatype": name, "data": []} for name in TYPES}
    for name in ("fp16", "bf16"):
        del everything[name]["data"]
        everything[name]["parameters"] = {"binary_data_size": 0}
    everything["bool"] = {"name": "bool", "shape": [4], "datatype": "BOOL", "data": [True, 1, False, 0]}
    body = {"inputs": list(everything.values()), "outputs": [{"name": "out_bool"}]}
    status, _, answer = infer_raw("types", body)
    assert status == 200 and json.loads(answer)["outputs"][0]["data"] == [True, True, False, False], answer
    everything["bool"]["data"] = [True, 2, 0, 0]
    status, _, answer = infer_raw("types", {"inputs": list(everything.values())})
    assert status == 400 and "2 is no BOOL" in json.loads(answer)["error"], answer


# 19, 20
@both
def tensors_without_elements(transport, client):
    empty = np.zeros((0, 4), np.float32)
    result = client.infer("two", [given(transport, "a", empty), given(transport, "b", empty)])
    assert same(result.as_numpy("sum"), empty)


# 21
@both
def an_id_is_echoed_and_none_is_made_up(transport, client):
    a = np.ones((1, 1), np.float32)
    ask = lambda **more: client.infer("two", [given(transport, "a", a), given(transport, "b", a)], **more).get_response()
    read = (lambda told: told.get("id", "")) if transport is th else (lambda told: told.id)
    assert read(ask(request_id="abc-1")) == "abc-1" and read(ask()) == ""


# 22, 23
@both
def outputs_as_they_are_asked_for(transport, client):
    a = np.ones((1, 1), np.float32)
    inputs = [given(transport, "a", a), given(transport, "b", a)]
    names = lambda result: [one["name"] if transport is th else one.name for one in
        (result.get_response()["outputs"] if transport is th else result.get_response().outputs)]
    for wanted in (["sum"], ["difference"], ["difference", "sum"]):
        assert names(client.infer("two", inputs, outputs=[transport.InferRequestedOutput(name) for name in wanted])) == wanted
    wrong = lambda: client.infer("two", inputs, outputs=[transport.InferRequestedOutput("nope")])
    assert "nope" in refused(wrong, 400, "INVALID_ARGUMENT")


# 24, 25
@both
def what_does_not_fit_is_refused_by_name(transport, client):
    def array(*shape, dtype=np.float32):
        return np.ones(shape, dtype)
    def ask(*inputs):
        return refused(lambda: client.infer("two", list(inputs)), 400, "INVALID_ARGUMENT")
    a, b = given(transport, "a", array(1, 1)), given(transport, "b", array(1, 1))
    assert "b" in ask(a)
    assert "more" in ask(a, b, given(transport, "more", array(1, 1)))
    assert "twice" in ask(a, a, b)
    assert "int32" in ask(a, given(transport, "b", array(1, 1, dtype=np.int32)))
    assert "[1]" in ask(a, given(transport, "b", array(1)))
    refused(lambda: client.infer("pump", [given(transport, "x", array(1, 11))]), 400, "INVALID_ARGUMENT")


# 26, 27
@case
def sizes_that_lie_are_refused_and_nothing_is_allocated():
    tensor = lambda **more: {"name": "a", "shape": [1, 1], "datatype": "FP32", **more}
    for one, behind, length in [
        (tensor(parameters={"binary_data_size": 8}), b"12345678", None),
        (tensor(parameters={"binary_data_size": 4}), b"123", None),
        (tensor(parameters={"binary_data_size": 4}), b"12345", None),
        (tensor(parameters={"binary_data_size": -4}), b"1234", None),
        (tensor(parameters={"binary_data_size": 4}), b"1234", 10**6),
        (tensor(parameters={"binary_data_size": 4}), b"1234", -1),
        (tensor(shape=[1 << 62, 4], parameters={"binary_data_size": 4}), b"1234", None),
        (tensor(shape=[-1, 1], data=[1]), b"", None),
        (tensor(shape=[4_000_000_000, 4], data=[1]), b"", None),
        (tensor(datatype="BYTES", shape=[1], parameters={"binary_data_size": 4}), b"\xff\xff\xff\xff", None),
    ]:
        head = json.dumps({"inputs": [one]}).encode()
        status, _, answer = infer_raw("two", head + behind, {"Inference-Header-Content-Length": str(length or len(head))})
        assert status == 400 and isinstance(json.loads(answer)["error"], str), (one, status, answer)
    for broken in (b"", b"{", b"not json", b"{}", b'{"inputs": [', b"[]"):
        status, headers, answer = infer_raw("two", broken)
        assert status == 400 and headers["Content-Type"] == "application/json", (broken, status, answer)


@case
def a_body_that_is_cut_off_is_no_request():
    host, port = ADDRESS.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        stream.sendall(b"POST /v2/models/two/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{\"inputs\"")
        stream.shutdown(socket.SHUT_WR)
        answer = stream.recv(4096)
        assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0], answer
    assert th.InferenceServerClient(ADDRESS).is_server_live()


# 28, 29
@both
def what_is_not_there(transport, client):
    a = np.ones((1, 1), np.float32)
    inputs = [given(transport, "a", a), given(transport, "b", a)]
    assert "nope" in refused(lambda: client.infer("nope", inputs), 404, "NOT_FOUND")
    refused(lambda: client.infer("two", inputs, model_version="9"), 404, "NOT_FOUND")
    refused(lambda: client.infer("two", inputs, model_version="nope"), 404, "NOT_FOUND")
    refused(lambda: client.get_model_config("nope"), 404, "NOT_FOUND")
    refused(lambda: client.get_inference_statistics("nope"), 404, "NOT_FOUND")


# 30
@both
def compressed_requests_and_answers(transport, client):
    a = np.zeros((50, 50), np.float32)
    inputs = [given(transport, "a", a), given(transport, "b", a)]
    for name in ("gzip", "deflate"):
        how = {"request_compression_algorithm": name, "response_compression_algorithm": name} if transport is th else \
            {"compression_algorithm": name}
        assert same(client.infer("two", inputs, **how).as_numpy("sum"), a)


@case
def a_bomb_is_cut_off():
    for packed, encoding in ((gzip.compress(b" " * (200 << 20)), "gzip"), (zlib.compress(b" " * (200 << 20)), "deflate")):
        status, _, answer = infer_raw("two", packed, {"Content-Encoding": encoding})
        assert status == 413 and "body" in json.loads(answer)["error"], (status, answer)
    status, _, answer = infer_raw("two", b"x", {"Content-Encoding": "br"})
    assert status == 415 and isinstance(json.loads(answer)["error"], str)


# 31
@case
def a_body_without_json():
    body = np.arange(8, dtype=np.float32).tobytes()
    status, headers, answer = infer_raw("scores", body, {"Inference-Header-Content-Length": "0"})
    length = int(headers["Inference-Header-Content-Length"])
    assert status == 200 and json.loads(answer[:length])["outputs"][0]["shape"] == [2, 4] and answer[length:] == body
    status, _, answer = infer_raw("two", body, {"Inference-Header-Content-Length": "0"})
    assert status == 400 and "one input" in json.loads(answer)["error"]


# 32, 33, 34
@both
def the_repository(transport, client):
    a = np.ones((1, 1), np.float32)
    inputs = [given(transport, "a", a), given(transport, "b", a)]
    def states():
        index = client.get_model_repository_index()
        index = index if transport is th else [{"name": one.name, "state": one.state} for one in index.models]
        return {one["name"]: one["state"] for one in index}
    client.load_model("two")
    assert states()["two"] == "READY" and states()["broken"] == "UNAVAILABLE"
    client.unload_model("two")
    assert states()["two"] == "UNAVAILABLE" and not client.is_model_ready("two")
    refused(lambda: client.infer("two", inputs), 503, "UNAVAILABLE")
    client.load_model("two")
    assert client.is_model_ready("two")
    client.infer("two", inputs)
    refused(lambda: client.load_model("nope"), 404, "NOT_FOUND")
    refused(lambda: client.load_model("broken"), 400, "INVALID_ARGUMENT")
    refused(lambda: client.load_model("two", config="{}"), 501, "UNIMPLEMENTED")


@case
def only_what_is_ready_is_listed_on_request():
    status, _, answer = http("POST", "/v2/repository/index", b'{"ready": true}')
    assert status == 200 and {one["state"] for one in json.loads(answer)} == {"READY"}, answer


# 37
@both
def a_deadline_is_kept(transport, client):
    rounds = np.array(2_000_000_000, np.int64)
    inputs = [given(transport, "rounds", rounds), given(transport, "x", np.ones(1, np.float32))]
    began = time.monotonic()
    refused(lambda: client.infer("slow", inputs, timeout=200_000), 504, 503, "DEADLINE_EXCEEDED")
    assert time.monotonic() - began < 20
    # It answers again.
    few = [given(transport, "rounds", np.array(2, np.int64)), given(transport, "x", np.ones(1, np.float32))]
    client.infer("slow", few)


# 38
@both
def statistics_count(transport, client):
    def counts():
        told = client.get_inference_statistics("two")
        of = told["model_stats"][0] if transport is th else told.model_stats[0]
        if transport is th:
            return of["inference_count"], of["execution_count"], of["inference_stats"]["success"]["count"], of["inference_stats"]["fail"]["count"]
        return of.inference_count, of.execution_count, of.inference_stats.success.count, of.inference_stats.fail.count
    a, before = np.ones((3, 1), np.float32), counts()
    for _ in range(5):
        client.infer("two", [given(transport, "a", a), given(transport, "b", a)])
    refused(lambda: client.infer("two", [given(transport, "a", a)]), 400, "INVALID_ARGUMENT")
    rows, runs, good, bad = (after - first for after, first in zip(counts(), before))
    assert (rows, runs, good) == (15, 5, 5) and bad <= 1, (rows, runs, good, bad)
    told = client.get_inference_statistics("two")
    parts = ["queue", "compute_input", "compute_infer", "compute_output"]
    if transport is th:
        stats = told["model_stats"][0]["inference_stats"]
        whole, times = int(stats["success"]["ns"]), [int(stats[part]["ns"]) for part in parts]
    else:
        stats = told.model_stats[0].inference_stats
        whole, times = stats.success.ns, [getattr(stats, part).ns for part in parts]
    assert all(time > 0 for time in times) and sum(times) <= whole, (times, whole)
    assert len(client.get_inference_statistics()["model_stats"] if transport is th else client.get_inference_statistics().model_stats) >= 5


# 39
@case
def a_stream_answers_in_order():
    client, answers = tg.InferenceServerClient(ADDRESS), queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for index in range(5):
        a = np.full((1, 1), index, np.float32)
        client.async_stream_infer("two", [given(tg, "a", a), given(tg, "b", a)], request_id=str(index))
    client.async_stream_infer("nope", [])
    for index in range(5):
        result, error = answers.get(timeout=30)
        assert error is None and result.get_response().id == str(index) and result.as_numpy("sum")[0, 0] == 2 * index
    result, error = answers.get(timeout=30)
    assert "nope" in error.message()
    client.stop_stream()


# 40
@case
def raw_and_typed_contents_are_not_mixed():
    from tritonclient.grpc import service_pb2 as pb, service_pb2_grpc
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(ADDRESS, options=options))
    def tensor(name, size, typed):
        one = pb.ModelInferRequest.InferInputTensor(name=name, datatype="FP32", shape=[1, size])
        if typed:
            one.contents.fp32_contents.extend([1.0] * size)
        return one
    typed = pb.ModelInferRequest(model_name="two", inputs=[tensor("a", 2, True), tensor("b", 2, True)])
    answer = stub.ModelInfer(typed)
    assert np.frombuffer(answer.raw_output_contents[0], np.float32).tolist() == [2, 2]
    typed.raw_input_contents.extend([b"\0" * 8] * 2)
    try:
        stub.ModelInfer(typed)
        raise AssertionError("it was not refused")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    size = (16 << 20) // 4
    large = pb.ModelInferRequest(model_name="two", inputs=[tensor("a", size, False), tensor("b", size, False)])
    large.raw_input_contents.extend([b"\0" * (size * 4)] * 2)
    assert len(stub.ModelInfer(large).raw_output_contents[0]) == size * 4
    size = (40 << 20) // 4
    large = pb.ModelInferRequest(model_name="two", inputs=[tensor("a", size, False), tensor("b", size, False)])
    large.raw_input_contents.extend([b"\0" * (size * 4)] * 2)
    try:
        stub.ModelInfer(large)
        raise AssertionError("it was not refused")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error


# 41
@both
def the_highest_come_with_their_labels(transport, client):
    x = np.array([[0.1, 0.7, 0.2, 0], [9, 8, 7, 6], [0, 0, 0, 1]], np.float32)
    result = client.infer("scores", [given(transport, "x", x)], outputs=[transport.InferRequestedOutput("y", class_count=2)])
    told = [[one.decode() for one in row] for row in result.as_numpy("y")]
    assert told == [["0.7:1:two", "0.2:2:three"], ["9:0:one", "8:1:two"], ["1:3:four", "0:0:one"]], told


@both
def configuration(transport, client):
    told = client.get_model_config("two") if transport is th else client.get_model_config("two", as_json=True)["config"]
    assert told["name"] == "two" and told.get("max_batch_size", 0) == 0
    assert [one["data_type"] for one in told["input"]] == ["TYPE_FP32", "TYPE_FP32"], told


@both
def what_is_not_served_says_so(transport, client):
    refused(client.get_system_shared_memory_status, 501, "UNIMPLEMENTED")
    refused(client.get_cuda_shared_memory_status, 501, "UNIMPLEMENTED")
    refused(client.get_trace_settings, 501, "UNIMPLEMENTED")
    refused(client.get_log_settings, 501, "UNIMPLEMENTED")


@case
def every_refusal_is_one_text():
    for method, path, status in [
        ("GET", "/", 404), ("GET", "/v1/models", 404), ("GET", "/v2/nowhere", 404), ("GET", "/v2/models/two/infer", 405),
        ("POST", "/v2", 405), ("PUT", "/v2/models/two", 405), ("DELETE", "/v2/health/live", 405), ("GET", "/v2/models/nope", 404),
        ("POST", "/v2/models/two/generate", 501),
    ]:
        found, headers, body = http(method, path, b"{}" if method != "GET" else b"")
        assert found == status and headers["Content-Type"] == "application/json", (method, path, found)
        assert isinstance(json.loads(body)["error"], str)


@case
def grpcio_health_and_reflection():
    channel = grpc.insecure_channel(ADDRESS)
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for service in ("", "inference.GRPCInferenceService", "two"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == serving, service
    assert next(stub.Watch(health_pb2.HealthCheckRequest())).status == serving
    try:
        stub.Check(health_pb2.HealthCheckRequest(service="nope"))
        raise AssertionError("it was not refused")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
    known = ProtoReflectionDescriptorDatabase(channel)
    assert "inference.GRPCInferenceService" in known.get_services()


@case
def names_and_numbers_are_those_of_the_clients():
    """Whatever message our reflection tells of is the client's own, field by field."""
    from google.protobuf import descriptor_pb2
    from tritonclient.grpc import model_config_pb2, service_pb2
    known = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(ADDRESS))
    def fields(message, prefix=""):
        for field in message.field:
            yield f"{prefix}{message.name}.{field.name}", (field.number, field.type, field.label, field.type_name)
        for nested in message.nested_type:
            yield from fields(nested, f"{prefix}{message.name}.")
        for enum in message.enum_type:
            yield from ((f"{prefix}{message.name}.{enum.name}.{one.name}", one.number) for one in enum.value)
    theirs = {}
    for module in (service_pb2, model_config_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            theirs.update(fields(message))
    ours = {}
    for name in ("inference.GRPCInferenceService", "inference.ModelConfig"):
        for message in known.FindFileContainingSymbol(name).message_type:
            ours.update(fields(message))
    # OIP's own has properties of a model, Triton's has none.
    theirs_only = {name: value for name, value in ours.items() if theirs.get(name) != value and "ropertiesEntry" not in name}
    assert set(theirs_only) <= {"ModelMetadataResponse.properties"} and len(ours) > 150, theirs_only


run()
