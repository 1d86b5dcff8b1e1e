"""Small values that outlive the run. Writes become durable together with the step's result, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from wit_world.imports import state as store

from .errors import StepError, host

_PAGE = 256


class State:
    """A key-value store; values are JSON. Needs ``allow: { state: true }``."""

    def __init__(self, scope: store.Scope) -> None:
        self._scope = scope

    @property
    def granted(self) -> bool:
        """Whether the step may use it."""
        try:
            self._entry("")
        except StepError as error:
            if error.code == "denied":
                return False
            raise
        return True

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`."""
        entry = self._entry(key)
        return default if entry is None else _parse(key, entry.value)

    def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Stages a new value, forgotten after `ttl` seconds when that is given."""
        host(store.set, self._scope, key, json.dumps(value).encode(), None if ttl is None else int(ttl * 1000))

    def update(self, key: str, change: Callable[[Any], Any], default: Any = None) -> Any:
        """Reads, changes and writes back in one go; gives the new value.

        Raises `state-conflict` (retryable) rather than overwrite a change made meanwhile.
        """
        entry = self._entry(key)
        value = change(default if entry is None else _parse(key, entry.value))
        version = None if entry is None else entry.version
        host(store.compare_and_set, self._scope, key, version, json.dumps(value).encode())
        return value

    def remove(self, key: str) -> None:
        """Stages the removal of `key`; nothing happens when it does not exist."""
        host(store.delete, self._scope, key)

    def keys(self, prefix: str = "") -> list[str]:
        """All keys that start with `prefix`, sorted."""
        keys: list[str] = []
        after = None
        while True:
            page = host(store.list_keys, self._scope, prefix, after, _PAGE)
            keys += page.keys
            if page.next is None or page.next == after:
                return keys
            after = page.next

    def _entry(self, key: str) -> store.Entry | None:
        return host(store.get, self._scope, key)


def _parse(key: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise StepError("bad-state", f"the stored value of `{key}` is no JSON: {error}") from error
