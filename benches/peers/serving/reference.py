"""What a model takes and what it must answer, from ONNX Runtime itself, in a process of its own."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

from install import HERE, Installed

PORTS = """
def told(ports, kinds):
    return [[port.name, kinds[port.name][0], [d if isinstance(d, int) else -1 for d in port.shape]] for port in ports]
answer = {"input": told(model.session.get_inputs(), model.inputs), "output": told(model.session.get_outputs(), model.outputs)}
"""

OUTPUTS = """
tensors = json.load(sys.stdin)
inputs = {t["name"]: np.array(t["data"], dtype=model.inputs[t["name"]][1]).reshape(t["shape"]) for t in tensors}
answer = {name: value.ravel().tolist() for name, value in model.run(inputs).items()}
"""


def ask(installed: Installed, path: pathlib.Path, script: str, given: object) -> dict:
    script = f"import json, sys\nimport numpy as np\nfrom peer_model import PeerModel\nmodel = PeerModel(sys.argv[1])\n{script}"
    said = subprocess.run(
        [installed.python, "-c", script + "print(json.dumps(answer))", path],
        cwd=HERE,
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )
    if said.returncode != 0:
        raise OSError((said.stderr.strip().splitlines() or ["no reason"])[-1])
    return json.loads(said.stdout)


def ports(installed: Installed, path: pathlib.Path) -> dict:
    """Inputs and outputs: name, datatype, shape."""
    return ask(installed, path, PORTS, None)


def outputs(installed: Installed, path: pathlib.Path, tensors: list[dict]) -> dict:
    """The flat data of each output."""
    return ask(installed, path, OUTPUTS, tensors)


def agrees(expected: dict, answered: list[dict]) -> bool:
    """Whether an answer of the protocol says the same."""
    given = {output["name"]: flat(output["data"]) for output in answered}
    return given.keys() == expected.keys() and all(
        len(given[name]) == len(values)
        and all(a == b if isinstance(b, str) else abs(a - b) <= 1e-4 + 1e-3 * abs(b) for a, b in zip(given[name], values))
        for name, values in expected.items()
    )


def flat(data: object) -> list:
    return [each for part in data for each in flat(part)] if isinstance(data, list) else [data]
