"""Passes: one module for each technique, with its settings and what applies them.

A module here defines classes of :class:`PassConfig` and decorates them with :func:`register`; see
``registry``. Importing one imports neither numpy nor TensorFlow; algorithms are imported when a pass runs.
"""

from tflite_compress.passes.base import (
    Context,
    ConversionPass,
    Domain,
    Model,
    PassConfig,
    Stage,
    register,
)
from tflite_compress.passes.registry import all_passes, pass_type

__all__ = [
    "Context",
    "ConversionPass",
    "Domain",
    "Model",
    "PassConfig",
    "Stage",
    "all_passes",
    "pass_type",
    "register",
]
