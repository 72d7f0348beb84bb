"""Several results as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.wording import YES_NO, accuracy_change, size_change, time_change

HEADS = ("result", "device", "recipe", "verdict", "fits", "accuracy", "change", "bytes", "size", "latency")


def comparison_row(item: Recorded) -> tuple[str, ...]:
    """Return one result as cells under :data:`HEADS`."""
    report = item.report
    size, latency = report.size, report.latency
    return (
        str(item.folder),
        report.device.name,
        report.recipe.summary,
        report.verdict,
        YES_NO[report.fit.fits],
        f"{report.accuracy.after:.4f}" if report.accuracy.is_verified else "?",
        accuracy_change(report.accuracy) if report.accuracy.is_verified else "?",
        f"{size.result.bytes:,}",
        size_change(size.baseline.bytes, size.result.bytes),
        time_change(latency.baseline.median_ms, latency.result.median_ms),
    )


def side_by_side(found: Sequence[Recorded]) -> str:
    """Write several results as a Markdown table, one per row."""
    return table(HEADS, [comparison_row(item) for item in found]) + "\n"
