"""Dataclasses from JSON, and JSON Schemas of dataclasses."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, Union

from .errors import StepError

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number"}


def schema_of(kind: Any) -> Any:
    """The JSON Schema of a type: dataclasses, lists, dicts with text keys, literals, options and plain types."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind is None or kind is type(None):
        return {"type": "null"}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        return {
            "type": "object",
            "properties": {field.name: _described(schema_of(hints[field.name]), field) for field in fields},
            "required": [field.name for field in fields if not _optional(field)],
            "additionalProperties": False,
        }
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(one) for one in arguments]}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    # `Any`, and whatever else the author checks.
    return {list: {"type": "array"}, dict: {"type": "object"}}.get(kind, True)


def from_json(kind: Any, value: Any, where: str = "input") -> Any:
    """A value of a type that `schema_of` knows.

    The host has checked the document against the schema already; what can still differ raises `bad-input`.
    """
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        given = {}
        for field in dataclasses.fields(kind):
            if field.name in value:
                given[field.name] = from_json(hints[field.name], value[field.name], f"{where}.{field.name}")
            elif not _optional(field):
                raise StepError("bad-input", f"{where}.{field.name} is missing")
        return kind(**given)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        for one in arguments:
            try:
                return from_json(one, value, where)
            except StepError:
                continue
        raise StepError("bad-input", f"{where} is of none of the types {arguments}")
    if origin is list and isinstance(value, list):
        return [from_json(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: from_json(arguments[1], one, f"{where}.{key}") for key, one in value.items()}
    if origin is Literal and value in arguments:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (str, int, float) and isinstance(value, kind) and not isinstance(value, bool):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (None, type(None)) and value is None:
        return None
    if kind in (list, dict) and isinstance(value, kind):
        return value
    if kind is Any or kind is object:
        return value
    raise StepError("bad-input", f"{where}: {value!r} is no {getattr(kind, '__name__', kind)}")


def to_json(value: Any) -> Any:
    """What `json.dumps` does not know by itself."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: inner
            for field in dataclasses.fields(value)
            if (inner := getattr(value, field.name)) is not None
        }
    raise TypeError(f"{type(value).__name__} is no JSON")


def _optional(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _described(schema: Any, field: dataclasses.Field[Any]) -> Any:
    described = dict(schema) if isinstance(schema, dict) else {}
    if "description" in field.metadata:
        described["description"] = field.metadata["description"]
    if field.default is not dataclasses.MISSING and field.default is not None:
        described["default"] = field.default
    return described or schema
