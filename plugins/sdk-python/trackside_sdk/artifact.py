"""Large data, in pieces: nothing here holds a whole artifact unless it is asked to."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol

from wit_world.imports import artifacts

from .errors import StepError, host

# Bytes fetched or sent per host call: the cost of a call is far below that of copying them.
CHUNK = 64 * 1024
# The most that the host takes or gives in one call.
MAX_CALL = 1024 * 1024
# What `bytes`, `text` and `json` read unless they are told otherwise.
WHOLE = 16 * 1024 * 1024

# In classes that have a method of that name.
Bytes = bytes


class _Source(Protocol):
    def read(self, max: int) -> bytes: ...


class _Raw(io.RawIOBase):
    """A source of the host as one of Python's own files."""

    def __init__(self, source: _Source) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        chunk = host(self._source.read, min(len(into), MAX_CALL))
        into[: len(chunk)] = chunk
        return len(chunk)


def chunks_of(source: _Source, size: int) -> Iterator[bytes]:
    """Chunks of a source until its end."""
    while chunk := host(source.read, size):
        yield chunk


def file_of(source: _Source) -> io.BufferedReader:
    """A source as a binary file."""
    return io.BufferedReader(_Raw(source), CHUNK)


def whole_of(source: _Source, limit: int, what: str) -> bytes:
    """All of a source, when it has at most `limit` bytes."""
    parts: list[bytes] = []
    length = 0
    for chunk in chunks_of(source, CHUNK):
        length += len(chunk)
        if length > limit:
            raise StepError("too-large", f"{what} has more than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


def json_of(data: bytes, what: str) -> Any:
    """JSON of bytes."""
    try:
        return json.loads(data)
    except ValueError as error:
        raise StepError("bad-json", f"{what}: {error}") from error


class Artifact:
    """An immutable artifact: `name`, `media_type`, `size` in bytes, `digest` as ``sha256:…`` when it is known."""

    def __init__(self, inner: artifacts.Artifact) -> None:
        self.inner = inner
        stat = inner.stat()
        self.name: str = stat.name
        self.media_type: str = stat.media_type
        self.size: int = stat.size
        self.digest: str | None = f"{stat.digest.algorithm}:{stat.digest.hex}" if stat.digest else None

    def open(self, offset: int = 0, length: int | None = None) -> io.BufferedReader:
        """A binary file from `offset`: iterate over its lines, give it to `csv`, `zipfile`, `struct`."""
        return file_of(self._reader(offset, length))

    def chunks(self, size: int = CHUNK) -> Iterator[Bytes]:
        """Its bytes in pieces of at most `size`."""
        return chunks_of(self._reader(0, None), size)

    def lines(self) -> Iterator[str]:
        """Its lines as text without their line feed; what is not UTF-8 becomes U+FFFD."""
        for line in self.open():
            yield line.removesuffix(b"\n").decode("utf-8", "replace")

    def read_at(self, offset: int, max: int) -> Bytes:
        """At most `max` bytes from `offset`; fewer only at the end, or above 1 MiB."""
        return host(self.inner.read_at, offset, max, what=self.name)

    def bytes(self, limit: int = WHOLE) -> Bytes:
        """All of it, when it has at most `limit` bytes."""
        return whole_of(self._reader(0, None), limit, self.name)

    def text(self, limit: int = WHOLE) -> str:
        """All of it as UTF-8 text."""
        try:
            return self.bytes(limit).decode()
        except UnicodeDecodeError as error:
            raise StepError("not-utf8", f"{self.name} is not UTF-8 text (byte {error.start})") from error

    def json(self, limit: int = WHOLE) -> Any:
        """All of it as JSON."""
        return json_of(self.bytes(limit), self.name)

    def _reader(self, offset: int, length: int | None) -> artifacts.Reader:
        if offset == 0 and length is None:
            return host(self.inner.open, what=self.name)
        return host(self.inner.open_range, offset, length, what=self.name)


class ArtifactWriter:
    """Writes a new artifact in order; small writes are gathered.

    Without `commit` nothing remains of it. As a context manager it commits when the block ends well.
    """

    def __init__(self, inner: artifacts.ArtifactWriter) -> None:
        self.inner = inner
        self.written = 0
        self._pending = bytearray()

    def write(self, data: Bytes | bytearray | memoryview | str) -> int:
        """Appends bytes, or text as UTF-8."""
        self._pending += data.encode() if isinstance(data, str) else data
        if len(self._pending) >= CHUNK:
            self.flush()
        return len(data)

    def write_json(self, value: Any) -> None:
        """Appends one JSON value and a line feed: a line of a JSONL artifact."""
        self.write(json.dumps(value, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        """Sends what was gathered."""
        pending, self._pending = bytes(self._pending), bytearray()
        for at in range(0, len(pending), MAX_CALL):
            host(self.inner.write, pending[at : at + MAX_CALL])
        self.written += len(pending)

    def splice(self, source: Artifact, offset: int = 0, length: int | None = None) -> int:
        """Appends a part of another artifact; no byte of it enters the plugin's memory."""
        self.flush()
        copied = host(self.inner.splice_from, source.inner, offset, length)
        self.written += copied
        return copied

    def attribute(self, key: str, value: object) -> None:
        """Attaches a key and value for people and tools."""
        host(self.inner.set_attribute, key, str(value))

    def commit(self) -> Artifact:
        """Makes it durable. Later steps see it if this step succeeds."""
        self.flush()
        return Artifact(host(self.inner.commit))

    def __enter__(self) -> ArtifactWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
