"""Trackside's inference server beside others: the same models, the same requests, in turns, on this machine.

    TRACKSIDE_PEERS_FOLDER=/var/tmp/peers python3 benches/peers/serving/serving.py

installs Triton 2.51 (which PyPI's nvidia-pytriton carries; its Python back end with ONNX Runtime: its C++ back end for ONNX is in no
registry), MLServer 1.7.1, FastAPI with uvicorn, and perf_analyzer into that folder, builds furnace and a bare axum handler, and needs
`wrk`, `nghttp2-client` (h2load) and `libb64-0d` (Debian's packages), a `python3` whose libpython is shared, and the network; what can not
be had is told and left out. The folder takes 1.5 GB.

TRACKSIDE_PEERS_BINARY is Trackside's binary (target/release/trackside), TRACKSIDE_PEERS_SECONDS how long each load goes on (5),
TRACKSIDE_PEERS_ROUNDS how often (3), TRACKSIDE_PEERS_PARTS which parts, by a word of their names each (all), and
TRACKSIDE_PEERS_SERVERS which servers, likewise.

One server runs at a time, started anew in an empty folder for each part of each round; the order turns with the rounds. Each must first
give the numbers that ONNX Runtime gives. The load comes from compiled programs on the same cores. ONNX Runtime has one thread for a
session everywhere, and ORT_DISABLE_TELEMETRY=1.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import urllib.request

import load
import peers
import reference
from install import HERE, Installed, install
from table import Table

ROOT = HERE.parent.parent.parent
CLIENTS = (1, 4, 16)
MODELS = {
    "pump-anomaly": ROOT / "examples/pump-watch/models/pump-anomaly.onnx",
    "rain-tomorrow": ROOT / "examples/serve/models/rain-tomorrow.onnx",
    "low-tomorrow": ROOT / "examples/serve/models/low-tomorrow.onnx",
    "identity": HERE / "identity.onnx",
}


def floats(name: str, *values: float) -> dict:
    return {"name": name, "datatype": "FP32", "shape": [1, len(values)], "data": list(values)}


REQUESTS = {
    "pump-anomaly": [floats("x", 100, 101, 99, 100, 102, 100, 98, 100, 101, 100, 99, 100)],
    "rain-tomorrow": [
        *(floats(name, value) for name, value in {"precipitation": 1.5, "temp_max": 12.5, "temp_min": 4, "wind": 3}.items()),
        {"name": "weather", "datatype": "BYTES", "shape": [1, 1], "data": ["rain"]},
    ],
    "low-tomorrow": [floats("x", 1.5, 12.5, 4, 3)],
    "identity": [floats("input", *range(12))],
}


@dataclasses.dataclass
class Part:
    """Loads that a server gets one after the other, from one start."""

    model: str
    wire: str

    @property
    def name(self) -> str:
        return f"{self.model}, {self.wire}"


PARTS = [
    Part(model, wire)
    for model in ("pump-anomaly", "rain-tomorrow", "low-tomorrow")
    for wire in ("REST JSON", "REST binary", "gRPC", "gRPC by h2load")
] + [Part("identity", "REST JSON"), Part("identity", "REST binary")]


@dataclasses.dataclass
class Peer:
    """A server, and the parts that it can do."""

    name: str
    start: peers.Start
    # Without it nothing of this peer is there.
    needs: tuple[str, ...] = ()
    wires: tuple[str, ...] = ("REST JSON", "REST binary", "gRPC", "gRPC by h2load")
    identity: bool = False
    models: bool = True

    def does(self, part: Part) -> bool:
        return part.wire in self.wires and (self.identity if part.model == "identity" else self.models)


def all_peers(installed: Installed, binary: pathlib.Path | None) -> list[Peer]:
    found = []
    if binary is not None:
        library = installed.onnxruntime
        found.append(Peer("Trackside, ONNX Runtime", peers.trackside(binary, "onnxruntime", library), identity=True))
        found.append(Peer("Trackside, built-in", peers.trackside(binary, "rten", library), identity=True))
    rest = ("REST JSON", "REST binary")
    python = ("MLServer and FastAPI",)
    return [
        *found,
        Peer("Triton 2.51", peers.triton(installed), ("Triton", "Triton's back end", *python)),
        # No binary extension over REST, and no model's configuration over gRPC, which perf_analyzer asks for.
        Peer("MLServer 1.7.1", peers.mlserver(installed), python, ("REST JSON", "gRPC by h2load")),
        Peer("FastAPI", peers.fastapi(installed), python, rest),
        Peer("axum", peers.wire(installed, "axum"), ("furnace and axum",), rest, identity=True, models=False),
        Peer("furnace 0.16.2", peers.wire(installed, "furnace"), ("furnace and axum",), rest, identity=True, models=False),
    ]


def measure(
    installed: Installed, part: Part, peer: Peer, expected: dict, seconds: float, keep, room: pathlib.Path
) -> None:
    folder = room / "work"
    folder.mkdir()
    models = {name: path for name, path in MODELS.items() if (name == "identity") == (part.model == "identity")}
    request = load.Request(part.model, REQUESTS[part.model])
    try:
        server = peer.start(folder, models)
        try:
            check(request, server, expected)
            keep(0, "ready s", server.ready_after)
            drive(installed, part, request, server, 1, 1, folder)
            for clients in CLIENTS:
                cpu = server.cpu()
                seen = drive(installed, part, request, server, clients, seconds, folder)
                keep(clients, "requests/s", seen.rate)
                keep(clients, "p50 ms", seen.p50)
                keep(clients, "p99 ms", seen.p99)
                if seen.requests:
                    # What others do on the machine is hardly seen in it.
                    keep(clients, "CPU us", (server.cpu() - cpu) * 1e6 / seen.requests)
            keep(0, "PSS MiB", server.pss_mib())
        finally:
            server.end()
    finally:
        shutil.rmtree(folder)


def drive(
    installed: Installed, part: Part, request: load.Request, server: peers.Server, clients: int, seconds: float, folder
) -> load.Seen:
    if part.wire == "gRPC":
        return load.perf_analyzer(installed, request, server.grpc, clients, seconds, folder)
    if part.wire == "gRPC by h2load":
        return load.h2load(request, server.grpc, clients, seconds, folder)
    return load.wrk(request, part.wire == "REST binary", server.rest, clients, seconds, folder)


def check(request: load.Request, server: peers.Server, expected: dict) -> None:
    """A fast wrong answer is worth nothing."""
    url = f"http://127.0.0.1:{server.rest}/v2/models/{request.model}/infer"
    asked = urllib.request.Request(url, request.json(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        answered = json.load(answer)
    if not reference.agrees(expected, answered["outputs"]):
        raise OSError(f"it answers {answered['outputs']} where ONNX Runtime has {expected}")


def load_average() -> str:
    return pathlib.Path("/proc/loadavg").read_text().split()[0]


def machine() -> str:
    cpu = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(cpu)} x {cpu[0] if cpu else 'unknown'}, Linux {os.uname().release}"


def wanted(name: str, variable: str) -> bool:
    words = os.environ.get(variable, "")
    return not words or any(word and word in name for word in words.split(","))


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)
    # So that a server ends with this script, whatever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = os.environ.get("TRACKSIDE_PEERS_FOLDER") or sys.exit("say in TRACKSIDE_PEERS_FOLDER where to install the peers")
    seconds = float(os.environ.get("TRACKSIDE_PEERS_SECONDS", "5"))
    rounds = int(os.environ.get("TRACKSIDE_PEERS_ROUNDS", "3"))
    binary = pathlib.Path(os.environ.get("TRACKSIDE_PEERS_BINARY", ROOT / "target/release/trackside")).resolve()
    missing: dict[str, str] = {}
    for program, package in (("wrk", "wrk"), ("h2load", "nghttp2-client")):
        if shutil.which(program) is None:
            missing[program] = f"Debian has it in the package {package}"
    installed = install(pathlib.Path(folder), missing)
    if not binary.exists():
        missing["Trackside"] = f"no {binary}"
    for name, reason in missing.items():
        print(f"not run: {name}: {reason}")
    everybody = all_peers(installed, binary if binary.exists() else None)
    those = [
        peer for peer in everybody if not missing.keys() & set(peer.needs) and wanted(peer.name, "TRACKSIDE_PEERS_SERVERS")
    ]
    parts = [part for part in PARTS if wanted(part.name, "TRACKSIDE_PEERS_PARTS")]
    if "wrk" in missing:
        parts = [part for part in parts if not part.wire.startswith("REST")]
    if "perf_analyzer" in missing:
        parts = [part for part in parts if part.wire != "gRPC"]
    if "h2load" in missing:
        parts = [part for part in parts if part.wire != "gRPC by h2load"]
    expected = {name: reference.outputs(installed, MODELS[name], REQUESTS[name]) for name in MODELS}
    print(f"{machine()}; {rounds} rounds, {seconds:g} s a load; load average at the start {load_average()}")
    names = [peer.name for peer in those]
    table = Table(names, [name for name in names if name.startswith("Trackside")])
    with tempfile.TemporaryDirectory(prefix="serving-") as room:
        for turn in range(rounds):
            for part in parts:
                for at in range(len(those)):
                    peer = those[(at + turn) % len(those)]
                    if not peer.does(part):
                        continue

                    def keep(clients: int, figure: str, value: float) -> None:
                        table.keep(part.name, clients, figure, peer.name, turn, value)
                        told = f"{turn} | {peer.name} | {part.name} | {clients} | {figure} | {value:.4f}"
                        print(f"{told} | load {load_average()}", file=sys.stderr)

                    try:
                        measure(installed, part, peer, expected[part.model], seconds, keep, pathlib.Path(room))
                    except OSError as error:
                        print(f"not run: {peer.name}, {part.name}: {error}")
    table.print()
    if table.ours:
        print(f"\n(x N): {table.ours[0]}'s figure divided by this one, in the same round; medians of the rounds")
    print(f"load average at the end {load_average()}")
    table.print_aims()


if __name__ == "__main__":
    main()
