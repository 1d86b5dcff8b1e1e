"""The error types of a step, and how what the host refuses becomes one."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from typing import TypeVar

from componentize_py_types import Err
from wit_world.imports import common

T = TypeVar("T")


class StepError(Exception):
    """A failure that will be the same next time: bad input, a broken rule, a missing grant.

    ``code`` is stable and kebab-case: people match on it. ``extra`` holds details for programs.
    """

    retryable = False

    def __init__(
        self,
        code: str,
        message: str,
        *,
        extra: dict[str, object] | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extra = extra or {}
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class RetryableError(StepError):
    """A failure that may be gone next time: a busy server, a conflict.

    ``retry_after`` asks for at least so many seconds before the next attempt; the workflow's own policy bounds it.
    """

    retryable = True


# Case of the contract: the code, whether it may be gone next time, and a text where the case has none. The codes are
# those of every SDK.
_HOST: dict[str, tuple[str, bool, str]] = {
    "ArtifactError_NotFound": ("artifact-not-found", False, "the artifact does not exist"),
    "ArtifactError_Io": ("artifact-io", True, ""),
    "StateError_Conflict": ("state-conflict", True, "the state changed meanwhile"),
    "StateError_Storage": ("state-storage", True, ""),
    "InferenceError_ModelNotFound": ("model-not-found", False, ""),
    "InferenceError_BadTensor": ("bad-tensor", False, ""),
    "InferenceError_ResourceExhausted": ("resource-exhausted", True, ""),
    "InferenceError_Timeout": ("model-timeout", True, "the model did not answer in time"),
    "InferenceError_Runtime": ("model-failed", False, ""),
    "HttpError_Dns": ("http-dns", True, ""),
    "HttpError_Connect": ("http-connect", True, ""),
    "HttpError_Tls": ("http-tls", False, ""),
    "HttpError_Timeout": ("http-timeout", True, "the server did not answer in time"),
    "HttpError_TooLarge": ("http-too-large", False, ""),
    "HttpError_Protocol": ("http-protocol", True, ""),
    "SecretError_Unavailable": ("secret-unavailable", True, ""),
}
# Cases that mean the same in every interface.
_COMMON = {
    "Denied": ("denied", False, ""),
    "BadRequest": ("bad-request", False, ""),
    "QuotaExceeded": ("quota-exceeded", False, ""),
}


def host(call: Callable[..., T], *arguments: object, what: str = "") -> T:
    """Calls the host; what it refuses is raised as a StepError. ``what`` says what was being done."""
    try:
        return call(*arguments)
    except Err as refused:
        case = type(refused.value).__name__
        known = _HOST.get(case) or _COMMON.get(case.rpartition("_")[2])
        if known is None:
            raise
        code, retryable, text = known
        message = getattr(refused.value, "value", text)
    # Outside the handler: the contract's own exception adds nothing to a traceback.
    raise StepError(code, f"{what}: {message}" if what else message, retryable=retryable)


# What is kept of a traceback: its end, where the error is.
_TRACEBACK = 2000


def to_step_error(error: BaseException) -> tuple[common.StepError, str]:
    """Any exception as the contract's `step-error`, and the traceback's tail when it was not meant to be raised."""
    if isinstance(error, StepError):
        wait = None
        if error.retry_after is not None:
            wait = min(max(0, math.ceil(error.retry_after * 1000)), 0xFFFF_FFFF)
        kind = common.ErrorKind.RETRYABLE if error.retryable else common.ErrorKind.FATAL
        extra = [(str(key), str(value)) for key, value in error.extra.items()]
        return common.StepError(kind, error.code, error.message, wait, extra), ""
    tail = "".join(traceback.format_exception(error))[-_TRACEBACK:].strip()
    message = "".join(traceback.format_exception_only(error)).strip()
    return common.StepError(common.ErrorKind.FATAL, "exception", message, None, [("traceback", tail)]), tail
