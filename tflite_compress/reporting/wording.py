"""Words for figures: how sizes and times changed."""

from __future__ import annotations

from tflite_compress.reporting.scores import UNCHANGED

NO_DIFFERENCE = 0.05  # relative; a smaller difference of latencies is called unchanged
SHOWN_AS_ONE = 0.005  # relative; would be shown as 1x
YES_NO: dict[bool | None, str] = {True: "yes", False: "no", None: "?"}


def size_change(before: float, after: float) -> str:
    """Describe a change of bytes: ``3.3x smaller``, ``1.2x larger`` or ``unchanged``."""
    return _change(before, after, "smaller", "larger", 0.0)


def time_change(before: float, after: float) -> str:
    """Describe a change of latency: ``2.1x faster``, ``1.5x slower`` or ``unchanged`` within 5 %."""
    return _change(before, after, "faster", "slower", NO_DIFFERENCE)


def _change(before: float, after: float, less: str, more: str, tolerance: float) -> str:
    ratio = max(before, after) / max(min(before, after), 1e-12)
    if ratio - 1 <= max(tolerance, SHOWN_AS_ONE):
        return UNCHANGED
    return f"{ratio:.3g}x {less if after < before else more}"
