"""Passes: one module for each technique, with its settings and what applies them.

A module here defines classes of :class:`PassConfig` and decorates them with :func:`register`; see
``registry``. Importing one imports neither numpy nor TensorFlow; algorithms are imported when a pass runs.
"""

from tflite_compress.passes.base import (
    Context,
    ConversionPass,
    Domain,
    FilePass,
    FloatPass,
    PassConfig,
    Stage,
    register,
)
from tflite_compress.passes.registry import all_passes, pass_type
from tflite_compress.passes.values import ConvertedModel, Fact, FloatModel, Model

__all__ = [
    "Context",
    "ConversionPass",
    "ConvertedModel",
    "Domain",
    "Fact",
    "FilePass",
    "FloatModel",
    "FloatPass",
    "Model",
    "PassConfig",
    "Stage",
    "all_passes",
    "pass_type",
    "register",
]
