"""Outbound HTTP. Needs ``allow: { http: [ORIGIN] }``; redirects are never followed."""

from __future__ import annotations

import io
import json as json_format
from collections.abc import Iterator, Mapping
from typing import Any

from wit_world.imports import http

from .artifact import CHUNK, WHOLE, Artifact, ArtifactWriter, Bytes, chunks_of, file_of, json_of, whole_of
from .errors import host


class Response:
    """A response: its head is here, its body is read in order. Statuses are not errors."""

    def __init__(self, inner: http.Response, url: str) -> None:
        self.inner = inner
        self.url = url
        self.status: int = inner.status()
        self.headers: list[tuple[str, str]] = inner.headers()

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """The first header of this name, whatever its case."""
        return next((value for other, value in self.headers if other.lower() == name.lower()), None)

    def open(self) -> io.BufferedReader:
        """The body as a binary file."""
        return file_of(self.inner)

    def chunks(self, size: int = CHUNK) -> Iterator[Bytes]:
        """The body in pieces."""
        return chunks_of(self.inner, size)

    def bytes(self, limit: int = WHOLE) -> Bytes:
        """The body, when it has at most `limit` bytes."""
        return whole_of(self.inner, limit, self.url)

    def text(self, limit: int = WHOLE) -> str:
        """The body as text; what is not UTF-8 becomes U+FFFD."""
        return self.bytes(limit).decode("utf-8", "replace")

    def json(self, limit: int = WHOLE) -> Any:
        """The body as JSON."""
        return json_of(self.bytes(limit), self.url)

    def save_to(self, writer: ArtifactWriter) -> int:
        """The rest of the body straight into an artifact; no byte enters the plugin's memory."""
        writer.flush()
        saved = host(self.inner.save_to, writer.inner, what=self.url)
        writer.written += saved
        return saved


def request(
    url: str,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | str | Artifact | None = None,
    json: Any = None,
    timeout: float | None = None,
) -> Response:
    """Sends a request and waits for the response's head. `json` is sent as JSON; with a body the method is POST."""
    pairs = [(name, str(value)) for name, value in (headers or {}).items()]
    if json is not None:
        body = json_format.dumps(json)
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("content-type", "application/json"))
    method = method or ("GET" if body is None else "POST")
    head = http.Request(method, url, pairs, None if timeout is None else int(timeout * 1000))
    what = f"{method} {url}"
    if isinstance(body, Artifact):
        return Response(host(http.send_artifact, head, body.inner, what=what), url)
    data = body.encode() if isinstance(body, str) else body or b""
    return Response(host(http.send, head, data, what=what), url)
