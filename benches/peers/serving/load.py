"""Load, never from Python: `wrk` for REST, perf_analyzer and `h2load` for gRPC."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import pathlib
import re
import struct
import subprocess

from install import Installed

HEADER = "Inference-Header-Content-Length"


@dataclasses.dataclass
class Seen:
    """What a load saw."""

    rate: float
    p50: float
    p99: float
    # Answers in all; not known where they come from perf_analyzer.
    requests: int | None = None


@dataclasses.dataclass
class Request:
    """One request, in every form: of tensors with name, datatype, shape and data."""

    model: str
    tensors: list[dict]

    def json(self) -> bytes:
        return json.dumps({"inputs": self.tensors}, separators=(",", ":")).encode()

    def binary(self) -> tuple[bytes, int]:
        """The body, and the length of its head."""
        told, tail = [], []
        for tensor in self.tensors:
            if tensor["datatype"] == "BYTES":
                raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in tensor["data"])
            else:
                raw = struct.pack(f"<{len(tensor['data'])}f", *tensor["data"])
            about = {key: value for key, value in tensor.items() if key != "data"}
            told.append(about | {"parameters": {"binary_data_size": len(raw)}})
            tail.append(raw)
        head = json.dumps({"parameters": {"binary_data_output": True}, "inputs": told}, separators=(",", ":")).encode()
        return head + b"".join(tail), len(head)

    def grpc(self) -> bytes:
        """One message of gRPC: a ModelInferRequest with raw contents, as tritonclient makes it."""
        told, raw = field(1, self.model.encode()), b""
        for tensor in self.tensors:
            shape = b"".join(varint(size) for size in tensor["shape"])
            about = field(1, tensor["name"].encode()) + field(2, tensor["datatype"].encode()) + field(3, shape)
            told += field(5, about)
            if tensor["datatype"] == "BYTES":
                contents = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in tensor["data"])
            else:
                contents = struct.pack(f"<{len(tensor['data'])}f", *tensor["data"])
            raw += field(7, contents)
        message = told + raw
        return struct.pack(">BI", 0, len(message)) + message


def varint(number: int) -> bytes:
    """As protobuf writes a number."""
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf that has a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def wrk(request: Request, binary: bool, port: int, clients: int, seconds: float, folder: pathlib.Path) -> Seen:
    body, head = request.binary() if binary else (request.json(), None)
    (folder / "body").write_bytes(body)
    kind = "application/octet-stream" if binary else "application/json"
    lines = ['wrk.method = "POST"', f'wrk.body = io.open("{folder / "body"}", "rb"):read("*a")']
    lines += [f'wrk.headers["Content-Type"] = "{kind}"'] + ([f'wrk.headers["{HEADER}"] = "{head}"'] if binary else [])
    lines.append(
        "done = function(s, l, r) io.write(string.format("
        '"SEEN %d %d %f %f %d\\n", s.requests, s.duration, l:percentile(50), l:percentile(99),'
        " s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout)) end"
    )
    (folder / "load.lua").write_text("\n".join(lines) + "\n")
    url = f"http://127.0.0.1:{port}/v2/models/{request.model}/infer"
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "-s", str(folder / "load.lua"), url]
    said = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(r"SEEN (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", said.stdout)
    if found is None:
        raise OSError(f"wrk: {(said.stderr or said.stdout).strip()}")
    requests, micros, p50, p99, errors = (float(text) for text in found.groups())
    if errors:
        raise OSError(f"wrk: {errors:.0f} of {requests:.0f} requests failed")
    return Seen(requests * 1e6 / micros, p50 / 1e3, p99 / 1e3, int(requests))


def perf_analyzer(
    installed: Installed, request: Request, port: int, clients: int, seconds: float, folder: pathlib.Path
) -> Seen:
    # It takes no whole number for a float.
    exact = {tensor["name"]: float if tensor["datatype"] == "FP32" else str for tensor in request.tensors}
    given = {
        tensor["name"]: {"content": [exact[tensor["name"]](each) for each in tensor["data"]], "shape": tensor["shape"]}
        for tensor in request.tensors
    }
    (folder / "input.json").write_text(json.dumps({"data": [given]}))
    # It looks at three windows in a row; together they are what the others get.
    window = max(500, round(seconds * 1000 / 3))
    command = [installed.perf / "bin" / "perf_analyzer", "-m", request.model, "-u", f"127.0.0.1:{port}", "-i", "grpc"]
    command += ["--input-data", folder / "input.json", "--concurrency-range", str(clients), "-p", str(window)]
    command += ["-r", "3", "-s", "1000", "-f", folder / "perf.csv"]
    libraries = installed.perf / "nvidia" / "cuda_runtime" / "lib"
    (folder / "perf.csv").unlink(missing_ok=True)
    said = subprocess.run(
        [str(part) for part in command],
        env=os.environ | {"LD_LIBRARY_PATH": str(libraries)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if not (folder / "perf.csv").exists():
        last = [line for line in (said.stdout + said.stderr).splitlines() if line.strip()] or ["it said nothing"]
        raise OSError(f"perf_analyzer: {last[-1].strip()}")
    with open(folder / "perf.csv", newline="") as file:
        row = next(csv.DictReader(file))
    return Seen(float(row["Inferences/Second"]), float(row["p50 latency"]) / 1e3, float(row["p99 latency"]) / 1e3)


def h2load(request: Request, port: int, clients: int, seconds: float, folder: pathlib.Path) -> Seen:
    """The same over gRPC by a client that costs little itself: bare HTTP/2, one request at a time on each connection."""
    (folder / "message").write_bytes(request.grpc())
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", "-t1", f"-c{clients}", "-m1", f"-D{max(1, round(seconds))}", "-d", str(folder / "message")]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers", "--log-file", str(log)]
    command.append(f"http://127.0.0.1:{port}/inference.GRPCInferenceService/ModelInfer")
    said = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    counted = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", said.stdout)
    data = re.search(r"\((\d+)\) data", said.stdout)
    if counted is None or data is None or not log.exists():
        raise OSError(f"h2load: {(said.stderr or said.stdout).strip()[-300:]}")
    done, succeeded, failed = (int(text) for text in counted.groups())
    # Errors of gRPC come with status 200 and without a message.
    if failed or succeeded != done or not done or int(data[1]) < 20 * done:
        raise OSError(f"h2load: {succeeded} of {done} succeeded, with {data[1]} bytes of messages")
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    begun, times = [int(line[0]) for line in lines], sorted(int(line[2]) for line in lines)
    rate = (len(times) - 1) * 1e6 / max(1, max(begun) - min(begun))
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))] / 1e3
    return Seen(rate, at(0.5), at(0.99), done)
