"""The version of this tool."""

from __future__ import annotations

import functools
import importlib.metadata

CORE, FULL = "tflite-compress-core", "tflite-compress"  # an install from source has only the second


@functools.cache
def tool_version() -> str:
    """Return the installed version, or ``0.0.0`` in a checkout that is not installed."""
    for distribution in (CORE, FULL):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "0.0.0"
