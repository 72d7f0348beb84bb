"""Bytes of weights by layer."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register
from tflite_compress.support.quantities import format_bytes

MAX_HTML_ROWS, MAX_MARKDOWN_ROWS = 25, 10


def to_html(found: Recorded) -> str | None:
    """Render a table with bars, largest layers first."""
    details = found.report.details
    if details is None or not details.layers:
        return None
    layers = sorted(details.layers, key=lambda row: -row.before)
    largest = max(max(row.before, row.after) for row in layers) or 1
    rows = [
        (
            row.layer,
            format_bytes(row.before),
            format_bytes(row.after),
            100 * row.before / largest,
            100 * row.after / largest,
        )
        for row in layers[:MAX_HTML_ROWS]
    ]
    rest = layers[MAX_HTML_ROWS:]
    return render(
        "sections/layers.html",
        rows=rows,
        is_encoded=found.report.encoding is not None,
        rest=len(rest),
        rest_before=format_bytes(sum(row.before for row in rest)),
        rest_after=format_bytes(sum(row.after for row in rest)),
    )


def to_markdown(found: Recorded) -> str | None:
    """Render the largest layers."""
    details = found.report.details
    if details is None or not details.layers:
        return None
    layers = sorted(details.layers, key=lambda row: -row.before)
    rows = [
        (row.layer, format_bytes(row.before), format_bytes(row.after)) for row in layers[:MAX_MARKDOWN_ROWS]
    ]
    more = len(layers) - len(rows)
    ending = f"\n\nand {more} smaller layers" if more else ""
    return table(("largest layers, weights", "float32", "result"), rows) + ending


register(
    Section("layers", 70, to_html, to_markdown, NotShown("'tflite-compress inspect' prints bytes by layer"))
)
