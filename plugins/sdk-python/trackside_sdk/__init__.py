"""Write a Trackside step in Python. README.md beside this package is the manual."""

from .artifact import Artifact, ArtifactWriter
from .errors import RetryableError, StepError
from .http import Response, request
from .model import Model, Tensor
from .plugin import Port, Skipped, Want, plugin
from .state import State
from .step import Info, StepContext

__all__ = [
    "Artifact",
    "ArtifactWriter",
    "Info",
    "Model",
    "Port",
    "Response",
    "RetryableError",
    "Skipped",
    "State",
    "StepContext",
    "StepError",
    "Tensor",
    "Want",
    "plugin",
    "request",
]
