"""Several results as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.scores import accuracy_change, format_score
from tflite_compress.reporting.wording import size_change, time_change
from tflite_compress.support.quantities import format_bytes

HEADS = ("result", "device", "recipe", "verdict", "accuracy", "change", "file", "size", "latency")
RIGHT_ALIGNED = frozenset({0, *range(5, 10)})  # columns of figures, behind a first one of numbers


def comparison_row(item: Recorded) -> tuple[str, ...]:
    """Return one result as cells under :data:`HEADS`."""
    report = item.report
    size, latency = report.size, report.latency
    return (
        str(item.folder),
        report.device.name,
        report.recipe.summary,
        report.verdict.words,
        format_score(report.accuracy.metric, report.accuracy.after) if report.accuracy.is_verified else "?",
        accuracy_change(report.accuracy) if report.accuracy.is_verified else "?",
        format_bytes(size.result.bytes),
        size_change(size.baseline.bytes, size.result.bytes),
        time_change(latency.baseline.median_ms, latency.result.median_ms),
    )


def side_by_side(found: Sequence[Recorded]) -> str:
    """Write several results as a Markdown table, one per row."""
    return table(HEADS, [comparison_row(item) for item in found]) + "\n"
