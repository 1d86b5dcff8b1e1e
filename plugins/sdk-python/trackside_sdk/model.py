"""ONNX models by name; tensors live in the host. Needs ``allow: { models: [NAME] }``."""

from __future__ import annotations

import array
from collections.abc import Iterable, Mapping, Sequence

from wit_world.imports import inference

from .artifact import MAX_CALL, Artifact, Bytes
from .errors import StepError, host

# Element types that Python's arrays know. The contract's bytes are little-endian, as WebAssembly's are.
_ARRAYS = {
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float32": "f",
    "float64": "d",
}


def _element(name: str) -> inference.ElementType:
    try:
        return inference.ElementType[name.upper()]
    except KeyError:
        raise StepError("bad-tensor", f"`{name}` is no element type") from None


class Tensor:
    """A tensor held by the host. Element types are named as in the contract: ``float32``, ``int64``, ``text``, …"""

    def __init__(self, inner: inference.Tensor) -> None:
        self.inner = inner

    @classmethod
    def of(cls, element: str, shape: Sequence[int], values: Iterable[float] | Iterable[str] | Bytes) -> Tensor:
        """From values in row-major order, or from their little-endian bytes."""
        dims = list(shape)
        if element == "text":
            return cls(host(inference.Tensor.from_text, dims, list(values)))
        if not isinstance(values, (bytes, bytearray, memoryview)):
            code = _ARRAYS.get(element)
            if code is None:
                raise StepError("bad-tensor", f"{element}: give its values as bytes")
            values = array.array(code, values).tobytes()
        return cls(host(inference.Tensor.from_bytes, _element(element), dims, bytes(values)))

    @classmethod
    def from_artifact(cls, element: str, shape: Sequence[int], artifact: Artifact, offset: int = 0) -> Tensor:
        """From the bytes of an artifact; none of them enters the plugin's memory."""
        return cls(host(inference.Tensor.from_artifact, _element(element), list(shape), artifact.inner, offset))

    @property
    def element(self) -> str:
        """The element type's name."""
        return self.inner.element().name.lower()

    @property
    def shape(self) -> list[int]:
        """The shape, outermost dimension first."""
        return self.inner.shape()

    def bytes(self) -> Bytes:
        """All bytes, little-endian."""
        length = self.inner.byte_length()
        parts = [host(self.inner.read_at, at, MAX_CALL) for at in range(0, length, MAX_CALL)]
        return b"".join(parts)

    def values(self) -> list[float] | list[int] | list[str]:
        """All elements in row-major order."""
        if self.element == "text":
            return host(self.inner.read_text)
        code = _ARRAYS.get(self.element)
        if code is None:
            raise StepError("bad-tensor", f"{self.element}: read its bytes")
        return array.array(code, self.bytes()).tolist()

    def top_k(self, k: int) -> list[tuple[int, float]]:
        """The `k` largest elements with their positions, largest first."""
        return host(self.inner.top_k, k)


class Model:
    """An open model, pinned to one version."""

    def __init__(self, name: str) -> None:
        self.inner = host(inference.Model.open, name)

    @property
    def digest(self) -> str:
        """The digest of the version in use."""
        return self.inner.digest()

    @property
    def metadata(self) -> dict[str, str]:
        """What the model says about itself."""
        return dict(self.inner.metadata())

    @property
    def inputs(self) -> dict[str, tuple[str, list[int | None]]]:
        """Element type and shape of every input by name; ``None`` is any size."""
        return {port.name: (port.element.name.lower(), port.shape) for port in self.inner.inputs()}

    @property
    def outputs(self) -> dict[str, tuple[str, list[int | None]]]:
        """As `inputs`."""
        return {port.name: (port.element.name.lower(), port.shape) for port in self.inner.outputs()}

    def run(self, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()) -> dict[str, Tensor]:
        """Runs it; gives the wanted outputs by name, all of them when none is named."""
        given = [(name, tensor.inner) for name, tensor in inputs.items()]
        outputs = host(self.inner.run, given, list(wanted))
        return {name: Tensor(inner) for name, inner in outputs}
