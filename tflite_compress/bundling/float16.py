"""How much a device that computes in float16 may differ from the expected outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.bundling.gpu_parts import GpuParts, run_parts
from tflite_compress.bundling.vectors import Vectors, allowed_differences
from tflite_compress.runtimes.compare import measure_gaps
from tflite_compress.runtimes.gpu import gpu_runtime
from tflite_compress.runtimes.gpu_driver import installed_driver
from tflite_compress.runtimes.run_result import RunResult
from tflite_compress.support.errors import CompressError

MARGIN = 4.0  # factor on what is measured: phones' GPUs add up in other orders
MAX_SHARE = 0.02  # of an output's range; a larger difference is an error, not rounding
MIN_STEPS = 3.0  # of integer outputs


@dataclass(frozen=True)
class Float16Tolerance:
    """The largest accepted differences of a device that computes in float16.

    Attributes:
        values: One per output; in steps for integer outputs.
        rule: What they are derived from, as text.
    """

    values: tuple[float, ...]
    rule: str


def float16_tolerance(content: bytes, vectors: Vectors, parts: GpuParts | None = None) -> Float16Tolerance:
    """Return the tolerance of a GPU that computes in float16, measured if the accelerator is set up.

    Args:
        content: The ``.tflite``.
        vectors: Its test vectors.
        parts: The files in its place, of which the GPU computes the first; None if it is one file.
    """
    allowed = allowed_differences(content, vectors.expected, "float16")
    found = _run_in_float16(content, vectors, parts)
    if isinstance(found, str):
        return Float16Tolerance(allowed, f"what rounding to float16 explains; not measured: {found}")
    pairs = zip(found.outputs or (), vectors.expected, strict=True)
    gaps = [float(measure_gaps(*pair).max(initial=0)) for pair in pairs]
    return combine(allowed, gaps, [_largest_allowed(y) for y in vectors.expected], found.runtime)


def combine(
    allowed: Sequence[float], gaps: Sequence[float], limits: Sequence[float], runtime: str
) -> Float16Tolerance:
    """Return the tolerance from what rounding explains and what was measured.

    Args:
        allowed: What rounding explains, per output.
        gaps: The measured differences; infinite for NaN.
        limits: The largest tolerances.
        runtime: What computed in float16.
    """
    shown = ", ".join(f"{gap:.3g}" for gap in gaps)
    values = [min(max(a, MARGIN * gap), limit) for a, gap, limit in zip(allowed, gaps, limits, strict=True)]
    rule = f"{MARGIN:g} times {shown}, measured on {runtime}; at least what rounding to float16 explains"
    if any(gap > limit for gap, limit in zip(gaps, limits, strict=True)):
        rule = (
            f"{MAX_SHARE:.0%} of the range. {runtime} differs by more, by {shown}: the model is not made for "
            "float16, expect wrong outputs on a GPU"
        )
    return Float16Tolerance(tuple(values), rule)


def _run_in_float16(content: bytes, vectors: Vectors, parts: GpuParts | None) -> RunResult | str:
    """Return the accelerator's result, or why there is none."""
    if installed_driver() is None:
        return "the GPU accelerator is not set up (tflite-compress setup-gpu)"
    try:
        if parts is None:
            result = gpu_runtime()(content, vectors.inputs)
        else:
            result = run_parts(parts.split, vectors.inputs, gpu_runtime())
    except CompressError as error:
        return error.message
    return "the GPU accelerator computes no outputs" if result.outputs is None else result


def _largest_allowed(expected: np.ndarray) -> float:
    """Return the largest tolerance of an output, in its own unit."""
    values = expected[np.isfinite(expected)] if expected.dtype.kind == "f" else expected.astype(np.float64)
    share = MAX_SHARE * float(np.ptp(values)) if values.size else 0.0
    return share if expected.dtype.kind == "f" else max(MIN_STEPS, share)
