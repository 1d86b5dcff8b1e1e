"""What a plugin in Python may do with its bytearray: fill it again. Prints what the host was given."""

import sys
import types


def module(name: str, **members: object) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


class Raw:
    """The host's side."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += bytes(data)


# What the SDK imports of the contract, as far as its writer is concerned.
imports = module("wit_world.imports", artifacts=module("wit_world.imports.artifacts"), common=module("wit_world.imports.common"))
module("wit_world", imports=imports)
module("componentize_py_types", Err=type("Err", (Exception,), {}))
sdk = module("trackside_sdk")
sdk.__path__ = [sys.argv[1]]
from trackside_sdk.artifact import ArtifactWriter  # noqa: E402

raw = Raw()
writer = ArtifactWriter(raw)
buffer = bytearray(7)
for digit in "12345":
    buffer[:] = f"line {digit}\n".encode()
    writer.write(buffer)
writer.write("text\n")
writer.write(memoryview(buffer)[5:])
buffer[:] = b"!" * 7
writer.flush()
sys.stdout.write(raw.sent.decode())
