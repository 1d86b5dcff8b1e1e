"""The peers, from the registries at fixed versions, in one folder; what is there is used again."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

TRITON = ["nvidia-pytriton==0.7.0"]
# Triton's Python back end was built for numpy 1: of numpy 2's arrays it sends nothing, and says 200.
SERVERS = ["mlserver==1.7.1", "fastapi", "uvicorn", "httptools", "uvloop", "orjson", "onnxruntime==1.32.0"]
SERVERS += ["numpy==1.26.4", "pandas<3"]
CLIENTS = ["tritonclient[all]==2.73.0"]
# The last copy of perf_analyzer that runs with the glibc of Debian 12.
PERF = ["tritonclient==2.50.0", "nvidia-cuda-runtime-cu12==12.9.79"]


class Installed:
    """Where everything lies."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "venv" / "lib" / f"python{version}" / "site-packages"
        self.triton = self.packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"
        self.triton_libs = self.packages / "nvidia_pytriton.libs"
        self.backends = folder / "backends"
        self.perf = folder / "perf"
        self.wire = folder / "wire" / "release" / "serving-wire"

    @property
    def onnxruntime(self) -> pathlib.Path:
        return next((self.packages / "onnxruntime" / "capi").glob("libonnxruntime.so*"))


def run(*command: object) -> None:
    ended = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ended.returncode != 0:
        last = ([line for line in ended.stderr.splitlines() if line.strip()] or [""])[-1]
        raise OSError(f"{command[0]} ended with {ended.returncode}: {last}")


def install(folder: pathlib.Path, missing: dict[str, str]) -> Installed:
    """Installs what is not there; what could not be had stands in `missing`, with the reason."""
    folder.mkdir(parents=True, exist_ok=True)
    installed = Installed(folder.resolve())
    pip = [installed.python, "-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check"]
    parts = {
        "Triton": (installed.triton, lambda: run(*pip, "--no-deps", *TRITON)),
        "MLServer and FastAPI": (installed.packages / "mlserver", lambda: run(*pip, *SERVERS)),
        "clients": (installed.packages / "tritonclient", lambda: run(*pip, *CLIENTS)),
        "Triton's back end": (installed.backends / "python" / "onnxruntime", lambda: backends(installed)),
        "perf_analyzer": (installed.perf / "bin" / "perf_analyzer", lambda: perf(installed, pip)),
        "furnace and axum": (installed.wire, lambda: wire(installed)),
    }
    if not installed.python.exists():
        run(sys.executable, "-m", "venv", folder / "venv")
    for name, (there, make) in parts.items():
        try:
            if not there.exists():
                print(f"installing {name}", file=sys.stderr)
                make()
        except OSError as error:
            missing[name] = str(error)
    return installed


def backends(installed: Installed) -> None:
    """Triton looks for packages beside its Python back end, whatever PYTHONPATH says; the stub is one for each Python."""
    server = installed.packages / "pytriton" / "tritonserver"
    shutil.rmtree(installed.backends, ignore_errors=True)
    shutil.copytree(server / "backends", installed.backends)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, installed.backends / "python")
    for name in ("numpy", "numpy.libs", "onnxruntime"):
        (installed.backends / "python" / name).symlink_to(installed.packages / name)


def perf(installed: Installed, pip: list) -> None:
    run(*pip, "--no-deps", "--target", installed.perf, *PERF)
    (installed.perf / "bin" / "perf_analyzer").chmod(0o755)


def wire(installed: Installed) -> None:
    manifest = HERE / "wire" / "Cargo.toml"
    run("cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", installed.folder / "wire")


if __name__ == "__main__":
    not_there: dict[str, str] = {}
    install(pathlib.Path(os.environ["TRACKSIDE_PEERS_FOLDER"]), not_there)
    for part, why in not_there.items():
        print(f"not installed: {part}: {why}")
    sys.exit(bool(not_there))
