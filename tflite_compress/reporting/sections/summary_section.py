"""The figures before and after: bytes, accuracy, latency and RAM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import safe, table
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.reporting.wording import (
    UNCHANGED,
    accuracy_change,
    accuracy_name,
    size_change,
    time_change,
)
from tflite_compress.runtimes.run_result import Measurement


@dataclass(frozen=True)
class Row:
    """One figure before and after.

    Attributes:
        name: What it is, with its unit.
        before: Of the baseline; None where it is unknown.
        after: Of the result.
        change: How it changed; None where the baseline is unknown.
        is_better: None for no difference.
        source: How it is known.
    """

    name: str
    before: str | None
    after: str
    change: str | None
    is_better: bool | None
    source: str


def summary_rows(report: Report) -> list[Row]:
    """Return the figures in the order they are shown."""
    return [
        *_sizes(report),
        *_accuracy(report),
        *_host_latency(report),
        *_memory(report),
        *_device_latency(report),
    ]


def _sizes(report: Report) -> Iterator[Row]:
    before, after = report.size.baseline, report.size.result
    yield _bytes_row("File, bytes", before.bytes, after.bytes, "baseline: the plain float32 .tflite")
    yield _bytes_row("Gzipped, bytes", before.gzip_bytes, after.gzip_bytes, "what a download transfers")


def _bytes_row(name: str, before: float, after: float, source: str) -> Row:
    change = size_change(before, after)
    better = None if change == UNCHANGED else after < before
    return Row(name, f"{before:,.0f}", f"{after:,.0f}", change, better, source)


def _accuracy(report: Report) -> Iterator[Row]:
    accuracy = report.accuracy
    if accuracy.is_verified:
        change = accuracy_change(accuracy)
        yield Row(
            f"Accuracy ({accuracy_name(accuracy)})",
            f"{accuracy.before:.4f}",
            f"{accuracy.after:.4f}",
            change,
            accuracy.drop <= accuracy.max_drop,
            f"measured on {accuracy.samples:,} samples",
        )


def _host_latency(report: Report) -> Iterator[Row]:
    before, after = report.latency.baseline.median_ms, report.latency.result.median_ms
    change = time_change(before, after)
    better = None if change == UNCHANGED else after < before
    source = f"measured: {report.latency.source}"
    yield Row("Latency here, ms", f"{before:.3g}", f"{after:.3g}", change, better, source)


def _memory(report: Report) -> Iterator[Row]:
    before, after = report.memory.baseline, report.memory.result
    if after is None:
        return
    source = f"{after.kind}: {after.source}"
    if before is None:
        yield Row("RAM, bytes", None, f"{after.value:,.0f}", None, None, source)
    else:
        yield _bytes_row("RAM, bytes", before.value, after.value, source)


def _device_latency(report: Report) -> Iterator[Row]:
    known = report.device_latency
    if known is not None:
        source = f"{known.kind}: {known.source}"
        yield Row("Latency on the device, ms", None, f"{known.value:.3g}{_spread(known)}", None, None, source)


def _spread(known: Measurement) -> str:
    return "" if known.low is None or known.high is None else f" ({known.low:.3g} to {known.high:.3g})"


def to_html(found: Recorded) -> str:
    """Render a card for each figure."""
    return render("sections/summary.html", rows=summary_rows(found.report))


def to_markdown(found: Recorded) -> str:
    """Render a table, with the source of each figure below."""
    rows = summary_rows(found.report)
    cells = [(row.name, row.before or "?", row.after, row.change or "") for row in rows]
    sources = "\n".join(f"- {row.name}: {safe(row.source)}" for row in rows)
    unknown = (
        "" if found.report.device_latency else "\n- Latency on the device: unknown, it was not measured there"
    )
    return f"{table(('', 'float32', 'result', 'change'), cells)}\n\n{sources}{unknown}"


def to_terminal(found: Recorded) -> str | None:
    """Render the figures of the device; the table of results shows the others."""
    rows = [*_memory(found.report), *_device_latency(found.report)]
    lines = [
        f"{row.name}: {row.before + ' → ' if row.before else ''}{row.after}"
        f"{', ' + row.change if row.change else ''} ({row.source})"
        for row in rows
    ]
    return "\n".join(lines) or None


register(Section("summary", 20, to_html, to_markdown, to_terminal))
