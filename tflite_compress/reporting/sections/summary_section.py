"""The figures before and after: size, accuracy, latency and memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tflite_compress.reporting.accuracy_figures import Accuracy
from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import safe, table
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.scores import (
    OUTCOMES,
    UNCHANGED,
    accuracy_change,
    accuracy_name,
    accuracy_of_output,
    format_score,
    intervals_in_words,
)
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.reporting.sections.usage_section import gauges
from tflite_compress.reporting.wording import size_change, time_change
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.support.quantities import format_bytes, format_ms, format_value


@dataclass(frozen=True)
class Row:
    """One figure before and after.

    Attributes:
        name: What it is.
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
        *_flash(report),
        *_memory(report),
        *_device_latency(report),
        *_host_latency(report),
    ]


def _sizes(report: Report) -> Iterator[Row]:
    before, after = report.size.baseline, report.size.result
    yield _bytes_row("File", before.bytes, after.bytes, "baseline: the plain float32 .tflite")
    yield _bytes_row("Gzipped", before.gzip_bytes, after.gzip_bytes, "what a download transfers")


def _bytes_row(name: str, before: float, after: float, source: str) -> Row:
    change = size_change(before, after)
    better = None if change == UNCHANGED else after < before
    return Row(name, format_bytes(before), format_bytes(after), change, better, source)


def _accuracy(report: Report) -> Iterator[Row]:
    accuracy = report.accuracy
    if not accuracy.is_verified:
        return
    yield _accuracy_row("Accuracy", accuracy)
    if accuracy.deciding_output is not None:
        for name in accuracy.by_output:
            yield _accuracy_row(f"Output '{name}'", accuracy_of_output(accuracy, name))


def _accuracy_row(name: str, accuracy: Accuracy) -> Row:
    change, outcome = accuracy_change(accuracy), accuracy.outcome
    source = f"{accuracy_name(accuracy)}, measured on {accuracy.samples:,} samples"
    further = [intervals_in_words(accuracy), OUTCOMES[outcome] if outcome and accuracy.evidence else None]
    return Row(
        name,
        format_score(accuracy.metric, accuracy.before),
        format_score(accuracy.metric, accuracy.after),
        change,
        None if change == UNCHANGED else bool(accuracy.is_kept),
        "; ".join([source, *filter(None, further)]),
    )


def _host_latency(report: Report) -> Iterator[Row]:
    before, after = report.latency.baseline.median_ms, report.latency.result.median_ms
    change = time_change(before, after)
    better = None if change == UNCHANGED else after < before
    source = f"measured: {report.latency.source}; not the device's"
    yield Row("Latency here", format_ms(before), format_ms(after), change, better, source)


def _flash(report: Report) -> Iterator[Row]:
    flash = report.fit.measurement("flash")
    if flash is not None and flash.kind != "measured":
        yield Row("Flash", None, format_value(flash.value, flash.unit), None, None, _known(flash))


def _memory(report: Report) -> Iterator[Row]:
    before, after = report.memory.baseline, report.memory.result
    if after is None:
        return
    if before is None:
        yield Row("RAM", None, format_bytes(after.value), None, None, _known(after))
    else:
        yield _bytes_row("RAM", before.value, after.value, _known(after))


def _device_latency(report: Report) -> Iterator[Row]:
    known = report.device_latency
    if known is not None:
        value = format_value(known.value, known.unit)
        yield Row("Latency on the device", None, value, None, None, _known(known))


def _known(figure: Measurement) -> str:
    """Say how a figure is known, with its range."""
    spread = ""
    if figure.low is not None and figure.high is not None:
        low, high = (format_value(end, figure.unit) for end in (figure.low, figure.high))
        spread = f" {low} to {high}"
    return f"{figure.kind}{spread}: {figure.source}"


def to_html(found: Recorded) -> str:
    """Render a card for each figure, except those that only the bars above them would repeat."""
    rows = [row for row in summary_rows(found.report) if row.before is not None or not _has_gauge(found, row)]
    return render("sections/summary.html", rows=rows)


def _has_gauge(found: Recorded, row: Row) -> bool:
    return any(gauge.name == row.name for gauge in gauges(found.report))


def to_markdown(found: Recorded) -> str:
    """Render a table, with the source of each figure below."""
    rows = summary_rows(found.report)
    cells = [(row.name, row.before or "?", row.after, row.change or "") for row in rows]
    sources = "\n".join(f"- {row.name}: {safe(row.source)}" for row in rows)
    unknown = (
        "" if found.report.device_latency else "\n- Latency on the device: unknown, it was not measured there"
    )
    return f"{table(('', 'float32', 'result', 'change'), cells)}\n\n{sources}{unknown}"


def to_terminal(found: Recorded) -> str:
    """Render aligned columns, with the source of each figure below."""
    rows = summary_rows(found.report)
    heads = ("", "float32", "result", "")
    cells = [(row.name, row.before or "", row.after, row.change or "") for row in rows]
    sources = [f"{row.name}: {row.source}" for row in rows if row.name not in ("File", "Gzipped")]
    return "\n".join([*_aligned([heads, *cells]), *sources])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows with names and changes aligned left, and figures right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, before, after, change in rows:
        figures = f"{before:>{widths[1]}}  {after:>{widths[2]}}"
        lines.append(f"  {name:<{widths[0]}}  {figures}  {change}".rstrip())
    return lines


register(Section("summary", 20, to_html, to_markdown, to_terminal))
