"""From a Keras model to the smallest, fastest ``.tflite`` that still meets its accuracy on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflite_compress.compression.compress import compress, compress_many, repeat
    from tflite_compress.compression.options import Options, Result
    from tflite_compress.inspection.inspect_file import Inspection, inspect
    from tflite_compress.searching.search import SearchSettings, search
    from tflite_compress.searching.search_result import SearchResult
    from tflite_compress.timing.benchmark import Benchmark, benchmark

    __version__: str

_ROOMS = {
    "Benchmark": "timing.benchmark",
    "Options": "compression.options",
    "Result": "compression.options",
    "benchmark": "timing.benchmark",
    "Inspection": "inspection.inspect_file",
    "compress": "compression.compress",
    "inspect": "inspection.inspect_file",
    "compress_many": "compression.compress",
    "repeat": "compression.compress",
    "SearchResult": "searching.search_result",
    "SearchSettings": "searching.search",
    "search": "searching.search",
}
__all__ = [
    "Benchmark",
    "Inspection",
    "Options",
    "Result",
    "SearchResult",
    "SearchSettings",
    "__version__",
    "benchmark",
    "compress",
    "compress_many",
    "inspect",
    "repeat",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import the API, and look up the version, on first use, so that importing the package stays fast."""
    if name == "__version__":
        from tflite_compress.support.version import tool_version

        return tool_version()
    if name in _ROOMS:
        import importlib

        return getattr(importlib.import_module(f"tflite_compress.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'tflite_compress' has no attribute '{name}'")
