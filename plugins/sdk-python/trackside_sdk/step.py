"""The door to everything a step can reach."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from wit_world.imports import artifacts, context, outbox, secrets, telemetry
from wit_world.imports import state as store

from .artifact import Artifact, ArtifactWriter
from .errors import StepError, host
from .model import Model
from .state import State

_PRESENT = {case.name.lower(): case for case in outbox.IfPresent}


def _pairs(attributes: dict[str, object]) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in attributes.items()]


class Log:
    """The step's log: `trackside runs logs` prints it. The host bounds how much it keeps."""

    def trace(self, message: str, **attributes: object) -> None:
        """A line of level trace."""
        telemetry.log(telemetry.Level.TRACE, message, _pairs(attributes))

    def debug(self, message: str, **attributes: object) -> None:
        """A line of level debug."""
        telemetry.log(telemetry.Level.DEBUG, message, _pairs(attributes))

    def info(self, message: str, **attributes: object) -> None:
        """A line of level info."""
        telemetry.log(telemetry.Level.INFO, message, _pairs(attributes))

    def warn(self, message: str, **attributes: object) -> None:
        """A line of level warn."""
        telemetry.log(telemetry.Level.WARN, message, _pairs(attributes))

    def error(self, message: str, **attributes: object) -> None:
        """A line of level error."""
        telemetry.log(telemetry.Level.ERROR, message, _pairs(attributes))


class Metrics:
    """Numbers about what the step does."""

    def count(self, name: str, delta: float = 1, **attributes: object) -> None:
        """Adds to a counter."""
        telemetry.counter_add(name, delta, _pairs(attributes))

    def gauge(self, name: str, value: float, **attributes: object) -> None:
        """Sets a gauge."""
        telemetry.gauge_set(name, value, _pairs(attributes))

    def histogram(self, name: str, value: float, **attributes: object) -> None:
        """Records a value."""
        telemetry.histogram_record(name, value, _pairs(attributes))


@dataclass(frozen=True)
class Info:
    """Where and why this step runs."""

    workflow: str
    run_id: str
    step: str
    attempt: int
    """1 on the first try."""
    idempotency_key: str
    """The same for all attempts of this step in this run."""
    logical_time: datetime
    """The scheduled or event time; not "now"."""
    trigger_kind: str
    trigger: dict[str, str]


@dataclass(frozen=True)
class Secret:
    """A granted secret. Put `placeholder` into request headers: the host replaces it on the way out."""

    placeholder: str
    inner: secrets.Secret

    def reveal(self) -> bytes:
        """The value itself; only where the grant says so."""
        return host(self.inner.reveal)


class StepContext:
    """This attempt of this step."""

    def __init__(self) -> None:
        self.log = Log()
        self.metrics = Metrics()
        self.state = State(store.Scope.STEP)
        """Kept between runs for this step. Needs ``allow: { state: true }``."""
        self.workflow_state = State(store.Scope.WORKFLOW)
        """Shared by all steps of the workflow."""

    @property
    def info(self) -> Info:
        """Where and why this step runs."""
        info = context.get()
        return Info(
            workflow=info.workflow,
            run_id=info.run_id,
            step=info.step,
            attempt=info.attempt,
            idempotency_key=info.idempotency_key,
            logical_time=datetime.fromtimestamp(info.logical_time_unix_ms / 1000, timezone.utc),
            trigger_kind=info.trigger_kind,
            trigger=dict(info.trigger),
        )

    @property
    def remaining(self) -> float | None:
        """Seconds left before the host stops the step; ``None`` = no limit."""
        left = context.remaining_ms()
        return None if left is None else left / 1000

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the step to stop. A step that loops for long checks it now and then."""
        return context.cancelled()

    def progress(self, fraction: float, note: str = "") -> None:
        """How far it is, 0.0 to 1.0, for people who watch."""
        telemetry.progress(fraction, note)

    def inputs(self, port: str) -> list[Artifact]:
        """All artifacts of an input port; none when it is unbound."""
        try:
            found = host(artifacts.input, port, what=f"input `{port}`")
        except StepError as error:
            if error.code == "artifact-not-found":
                return []
            raise
        return [Artifact(inner) for inner in found]

    def optional_input(self, port: str) -> Artifact | None:
        """The artifact of an input port that may be unbound."""
        found = self.inputs(port)
        if len(found) > 1:
            raise StepError("too-many-inputs", f"input `{port}` takes one artifact, not {len(found)}")
        return found[0] if found else None

    def input(self, port: str) -> Artifact:
        """The one artifact of an input port."""
        found = self.optional_input(port)
        if found is None:
            raise StepError("missing-input", f"input `{port}` is missing: give it an artifact under `with:`")
        return found

    def create(self, port: str, name: str, media_type: str = "application/octet-stream") -> ArtifactWriter:
        """Starts an artifact on an output port."""
        return ArtifactWriter(host(artifacts.create, port, name, media_type, what=f"output `{port}`"))

    def deliver(self, artifact: Artifact, path: str, present: str = "refuse") -> None:
        """Has the artifact written to `path` once the step has succeeded: relative, below a folder that
        ``allow: { deliver: [FOLDER] }`` grants. `present` is ``refuse``, ``keep``, ``replace`` or ``number``."""
        if present not in _PRESENT:
            raise ValueError(f"present is {present!r}, not one of {', '.join(_PRESENT)}")
        host(outbox.deliver, artifact.inner, path, _PRESENT[present])

    def publish(self, channel: str, topic: str, payload: bytes | str, **attributes: object) -> None:
        """Has a message published once the step has succeeded."""
        data = payload.encode() if isinstance(payload, str) else payload
        host(outbox.publish, channel, topic, data, _pairs(attributes))

    def emit(self, event: str, data: Any) -> None:
        """Has an event emitted once the step has succeeded; other workflows' triggers can match it."""
        host(outbox.emit, event, json.dumps(data))

    def model(self, name: str) -> Model:
        """Opens a model."""
        return Model(name)

    def secret(self, name: str) -> Secret:
        """Opens a secret that ``allow: { secrets: [NAME] }`` grants."""
        inner = host(secrets.Secret.open, name)
        return Secret(inner.placeholder(), inner)
