"""The servers, each started in an empty folder with all models, on free ports of the loopback address."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import reference
from install import HERE, Installed

PATIENCE = 60.0


@dataclasses.dataclass
class Server:
    """One that runs."""

    process: subprocess.Popen
    rest: int
    grpc: int | None
    ready_after: float = 0.0

    def pss_mib(self) -> float:
        """Memory of it and all that it started: a page that several share counts once."""
        return sum(pss_of(process) for process in tree(self.process.pid)) / 1024

    def cpu(self) -> float:
        """Processor seconds of it and all that it started, so far."""
        ticks = sum(ticks_of(process) for process in tree(self.process.pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def tree(root: int) -> list[int]:
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def pss_of(process: int) -> float:
    try:
        lines = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("Pss:"))


def ticks_of(process: int) -> int:
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def free_port() -> int:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        return given.getsockname()[1]


def launch(command: list, folder: pathlib.Path, rest: int, grpc: int | None, ready: str, **environment: object) -> Server:
    """Starts it and waits until it says that it is ready."""
    values = {name: str(value) for name, value in environment.items()}
    with open(folder / "log", "wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=os.environ | {"ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "1"} | values,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process, rest, grpc)
    while time.monotonic() - began < PATIENCE and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{rest}{ready}", timeout=5) as answer:
                if answer.status == 200:
                    server.ready_after = time.monotonic() - began
                    return server
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.005)
    server.end()
    said = (folder / "log").read_text(errors="replace").strip().splitlines()
    raise OSError(f"{pathlib.Path(str(command[0])).name} was not ready: {said[-1] if said else 'it said nothing'}")


def repository(folder: pathlib.Path, models: dict[str, pathlib.Path]) -> pathlib.Path:
    """Triton's layout."""
    for name, path in models.items():
        (folder / "models" / name / "1").mkdir(parents=True)
        shutil.copy(path, folder / "models" / name / "1" / "model.onnx")
    return folder / "models"


Start = Callable[[pathlib.Path, dict[str, pathlib.Path]], Server]


def trackside(binary: pathlib.Path, engine: str, library: pathlib.Path) -> Start:
    def start(folder: pathlib.Path, models: dict[str, pathlib.Path]) -> Server:
        port = free_port()
        config = f'[node]\nname = "peers"\n\n[engine]\nprefer = "{engine}"\nonnxruntime = "{library}"\n\n'
        config += f'[inference]\nlisten = "127.0.0.1:{port}"\n'
        for name, path in models.items():
            shutil.copy(path, folder / f"{name}.onnx")
            config += f'\n[models.{name}]\npath = "{name}.onnx"\nengine = "{engine}"\nload = "start"\n'
        (folder / "trackside.toml").write_text(config)
        command = [binary, "--project", folder, "--quiet", "serve"]
        return launch(command, folder, port, port, "/v2/health/ready")

    return start


def triton(installed: Installed) -> Start:
    def start(folder: pathlib.Path, models: dict[str, pathlib.Path]) -> Server:
        rest, grpc = free_port(), free_port()
        place = repository(folder, models)
        for name in models:
            shutil.copy(HERE / "triton_model.py", place / name / "1" / "model.py")
            (place / name / "config.pbtxt").write_text(triton_config(installed, place / name / "1" / "model.onnx"))
        command = [installed.triton, "--model-repository", place, "--backend-directory", installed.backends]
        command += ["--http-address", "127.0.0.1", "--http-port", rest, "--grpc-address", "127.0.0.1", "--grpc-port", grpc]
        command += ["--allow-metrics", "false", "--log-verbose", "0", "--strict-readiness", "true"]
        command += ["--model-control-mode", "explicit"] + [f"--load-model={name}" for name in models]
        libraries = installed.triton_libs
        return launch(
            command, folder, rest, grpc, "/v2/health/ready", LD_LIBRARY_PATH=libraries, PEERS_SCRIPTS=HERE
        )

    return start


def triton_config(installed: Installed, path: pathlib.Path) -> str:
    kinds = {"BYTES": "TYPE_STRING"}
    lines = ['backend: "python"', "max_batch_size: 0", "instance_group [{ kind: KIND_CPU, count: 1 }]"]
    for direction, all_of_them in reference.ports(installed, path).items():
        for name, datatype, shape in all_of_them:
            kind = kinds.get(datatype, f"TYPE_{datatype}")
            lines.append(f'{direction} [{{ name: "{name}", data_type: {kind}, dims: {shape} }}]')
    return "\n".join(lines) + "\n"


def mlserver(installed: Installed) -> Start:
    def start(folder: pathlib.Path, models: dict[str, pathlib.Path]) -> Server:
        rest, grpc = free_port(), free_port()
        place = repository(folder, models)
        settings = {"host": "127.0.0.1", "http_port": rest, "grpc_port": grpc, "metrics_port": free_port()}
        settings |= {"parallel_workers": 0, "debug": False, "use_structured_logging": False}
        (folder / "settings.json").write_text(json.dumps(settings))
        for name in models:
            model = place / name / "1" / "model.onnx"
            about = {"name": name, "implementation": "mlserver_runtime.OnnxRuntime"}
            about["parameters"] = {"uri": str(model), "version": "1"}
            (place / name / "model-settings.json").write_text(json.dumps(about))
        command = [installed.python, "-c", "from mlserver.cli import main; main()", "start", folder]
        return launch(command, folder, rest, grpc, "/v2/health/ready", PYTHONPATH=HERE)

    return start


def fastapi(installed: Installed) -> Start:
    def start(folder: pathlib.Path, models: dict[str, pathlib.Path]) -> Server:
        rest = free_port()
        place = repository(folder, models)
        command = [installed.python, "-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", rest]
        command += ["--no-access-log", "--log-level", "warning"]
        return launch(command, folder, rest, None, "/v2/health/ready", PYTHONPATH=HERE, PEERS_MODELS=place)

    return start


def wire(installed: Installed, kind: str) -> Start:
    def start(folder: pathlib.Path, models: dict[str, pathlib.Path]) -> Server:
        rest = free_port()
        return launch([installed.wire, kind, rest], folder, rest, None, "/v2/health/ready")

    return start
