"""How a plugin is declared: one decorator."""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from componentize_py_types import Err
from wit_world.exports import describe as wit
from wit_world.exports import step as wit_step
from wit_world.imports import context

from . import typed
from .errors import StepError, to_step_error
from .step import StepContext

Run = TypeVar("Run", bound=Callable[..., Any])


@dataclass(frozen=True)
class Skipped:
    """What a step returns when there was nothing to do; steps that need it see it as skipped."""

    reason: str


@dataclass(frozen=True)
class Port:
    """A named place where artifacts come in or go out."""

    name: str
    description: str = ""
    media_types: Sequence[str] = ()
    required: bool = False
    many: bool = False


@dataclass(frozen=True)
class Want:
    """Something that the plugin asks the operator for: `kind` is a key of ``allow:``."""

    kind: str
    value: str = ""
    reason: str = ""
    optional: bool = False


def plugin(
    *,
    name: str,
    version: str,
    summary: str,
    docs: str = "",
    input_schema: dict[str, Any] | None = None,
    output_schema: dict[str, Any] | None = None,
    inputs: Sequence[Port] = (),
    outputs: Sequence[Port] = (),
    wants: Sequence[Want] = (),
    deterministic: bool = False,
) -> Callable[[Run], Run]:
    """Makes the function below it the plugin: ``def run(input: Input, step: StepContext)``.

    The first parameter's type is what the input becomes: a dataclass, or plain ``dict``. Schemas that are not given
    are made from the annotations. What the function returns is the output: anything that is JSON, a dataclass, or
    `Skipped`. An exception fails the step: a `StepError` as it says, any other with the code ``exception`` and the
    traceback's tail. A module declares one plugin.
    """

    def declare(run: Run) -> Run:
        hints = typing.get_type_hints(run)
        first = next(iter(inspect.signature(run).parameters))
        kind = hints.get(first, dict)
        returned = hints.get("return")
        descriptor = wit.Descriptor(
            name=name,
            version=version,
            summary=summary,
            docs_markdown=docs,
            input_schema=json.dumps(input_schema or _input_schema(kind, inputs)),
            output_schema=json.dumps(output_schema or _output_schema(returned)),
            inputs=[_port(port) for port in inputs],
            outputs=[_port(port) for port in outputs],
            wants=[wit.Capability(want.kind, want.value, want.reason, want.optional) for want in wants],
            deterministic=deterministic,
            extra=[],
        )

        class Describe:
            """The export `describe`."""

            def describe(self) -> wit.Descriptor:
                """Everything was computed when the component was built."""
                return descriptor

        class Step:
            """The export `step`."""

            def run(self) -> wit_step.Outcome:
                """One attempt."""
                step = StepContext()
                try:
                    return _outcome(run(typed.from_json(kind, json.loads(context.input_json())), step))
                except BaseException as error:
                    failure, tail = to_step_error(error)
                # Without a traceback an unexpected exception says too little; the log is where people look.
                if tail:
                    step.log.error(tail)
                raise Err(failure)

        # The component's exports are looked for by these names in the author's module.
        module = sys.modules[run.__module__]
        setattr(module, "Describe", Describe)
        setattr(module, "Step", Step)
        return run

    return declare


def _outcome(returned: Any) -> wit_step.Outcome:
    if isinstance(returned, Skipped):
        return wit_step.Outcome_Skipped(returned.reason)
    try:
        return wit_step.Outcome_Done(json.dumps(returned, default=typed.to_json, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise StepError("bad-output", f"output: {error}") from error


def _port(port: Port) -> wit.ArtifactPort:
    return wit.ArtifactPort(port.name, port.description, list(port.media_types), port.required, port.many)


def _input_schema(kind: Any, inputs: Sequence[Port]) -> dict[str, Any]:
    """The type's schema with the ports as keys beside it: the workflow gives both under `with`."""
    schema = typed.schema_of(kind) if dataclasses.is_dataclass(kind) else {"type": "object"}
    if "properties" in schema:
        for port in inputs:
            schema["properties"].setdefault(port.name, {"description": port.description})
            if port.required and port.name not in schema["required"]:
                schema["required"].append(port.name)
    return schema


def _output_schema(returned: Any) -> Any:
    """`-> Output | Skipped` is the schema of `Output`."""
    kinds = [one for one in typing.get_args(returned) if one is not Skipped] or [returned]
    return typed.schema_of(kinds[0]) if dataclasses.is_dataclass(kinds[0]) else {"type": "object"}
