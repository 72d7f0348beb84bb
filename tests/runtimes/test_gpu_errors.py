"""Errors of the GPU accelerator, told from logs that it wrote."""

from __future__ import annotations

import pytest

from tests.timing.models import dense
from tflite_compress.runtimes.gpu_errors import ended_error, refusal_error

NO_DRIVER = """Warning: {reason}
Warning: loader_icd_scan: Failed loading library associated with ICD JSON /gpu-1/lib/libvulkan_lvp.so.
Warning: vkCreateInstance failed with VK_ERROR_INCOMPATIBLE_DRIVER
ERROR: No adapters found"""


@pytest.mark.parametrize(
    ("reason", "cause", "hint"),
    [
        ("libLLVM-15.so.1: failed to map segment from shared object", "memory", "ulimit -v"),
        ("a.so: failed to map segment from shared object: Operation not permitted", "driver", "setup-gpu"),
        ("a.so: cannot open shared object file", "driver", "setup-gpu"),
    ],
)
def test_too_little_memory_for_the_driver_is_no_missing_driver(reason: str, cause: str, hint: str) -> None:
    found = refusal_error(dense(4), "RuntimeError: failed", NO_DRIVER.format(reason=reason))
    assert found.cause == cause and found.hint is not None and hint in found.hint


@pytest.mark.parametrize(
    "log",
    [
        "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.",
        "ImportError: libLiteRt.so: failed to map segment from shared object",
    ],
)
def test_too_little_memory_for_the_imports_is_no_crash(log: str) -> None:
    found = ended_error(None, log)
    assert found.cause == "memory" and "ulimit -v" in str(found.hint)
