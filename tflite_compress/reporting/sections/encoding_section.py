"""What encoding the weights for TFLite Micro changes: both choices side by side."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.support.quantities import format_bytes

TITLE = "Encoding of weights"
COLUMNS = ("weights", "file", "arena", "time on TFLite Micro", "")
SOURCE = "Arena and time: measured with TFLite Micro's reference kernels on this machine."


def encoding_rows(found: Recorded) -> list[tuple[str, ...]]:
    """Return plain and encoded weights with bytes, arena, time and which were chosen; [] if not tried."""
    choice = found.report.encoding_choice
    if choice is None:
        return []
    figures = choice.encoding
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(figures.kinds.items()))
    plain = format_bytes(figures.plain_bytes), format_bytes(figures.plain_arena_bytes), "1.00x"
    encoded = format_bytes(figures.bytes), format_bytes(figures.arena_bytes), f"{figures.time_ratio:.2f}x"
    chosen = ("", "chosen") if choice.is_encoded else ("chosen", "")
    return [("plain", *plain, chosen[0]), (f"encoded ({kinds})", *encoded, chosen[1])]


def to_html(found: Recorded) -> str | None:
    """Render a table."""
    rows = encoding_rows(found)
    if not rows:
        return None
    return render("sections/summary_table.html", title=TITLE, summary=SOURCE, columns=COLUMNS, rows=rows)


def to_markdown(found: Recorded) -> str | None:
    """Render a table."""
    rows = encoding_rows(found)
    return f"{table(COLUMNS, rows)}\n\n{SOURCE}" if rows else None


def to_terminal(found: Recorded) -> str | None:
    """Render aligned columns."""
    rows = encoding_rows(found)
    if not rows:
        return None
    cells = [COLUMNS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(f"  {line}".rstrip() for line in lines)


register(Section("encoding", 29, to_html, to_markdown, to_terminal))
