"""From a Keras model to the smallest, fastest ``.tflite`` that still meets its accuracy on a device."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflite_compress.api import Options, Result, compress, compress_many, repeat

try:
    __version__ = version("tflite-compress")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0.0.0"

__all__ = ["Options", "Result", "__version__", "compress", "compress_many", "repeat"]


def __getattr__(name: str) -> Any:
    """Import the API on first use, so that importing the package stays fast."""
    if name in __all__:
        from tflite_compress import api

        return getattr(api, name)
    raise AttributeError(f"module 'tflite_compress' has no attribute '{name}'")
