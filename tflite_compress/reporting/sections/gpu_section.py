"""Accuracy in float16 on the GPU accelerator, as a phone's GPU computes."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import safe, table
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.scores import OUTCOMES, format_score, intervals_in_words
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.scoring.gpu_score import GpuOutput, GpuScore
from tflite_compress.support.quantities import format_number

TITLE = "Accuracy on the GPU, in float16"
COLUMNS = ("output", "metric", "CPU", "GPU", "largest difference", "largest value", "faulty samples")


def gpu_rows(report: Report) -> list[tuple[str, ...]]:
    """Return one row of text per output; none where nothing was measured."""
    if report.gpu is None or report.gpu.score is None:
        return []
    before = report.accuracy.by_output
    if len(before) == 1:  # of all outputs together
        before = dict.fromkeys(report.gpu.score.by_output, *before.values())
    return [
        (
            name,
            output.metric,
            _score(report, output.metric, before[name].after) if name in before else "",
            _score(report, output.metric, output.accuracy),
            f"{output.max_difference:.3g}",
            f"{output.largest:.3g}",
            f"{output.faulty_samples:,}",
        )
        for name, output in report.gpu.score.by_output.items()
    ]


def gpu_summary(report: Report) -> str | None:
    """Say what was measured on the GPU accelerator, or why nothing was; None for other devices."""
    if report.gpu is None:
        return None
    score = report.gpu.score
    if score is None:
        return f"Not measured: {report.gpu.not_measured}"
    if score.fault is not None:
        return f"Failed: {score.fault}."
    return " ".join(filter(None, (_accuracy(report, score), _evidence(report), _where(score))))


def _evidence(report: Report) -> str | None:
    """Name the intervals and what they establish; None without any."""
    found = report.gpu_accuracy
    if found is None or found.outcome is None or (words := intervals_in_words(found)) is None:
        return None
    return f"{words[0].upper()}{words[1:]}; {OUTCOMES[found.outcome]}."


def _accuracy(report: Report, score: GpuScore) -> str:
    worst: GpuOutput = max(score.by_output.values(), key=lambda output: output.drop)
    difference = max(output.max_difference for output in score.by_output.values())
    apart = f"outputs differ from the CPU's by at most {difference:.3g}"
    if not report.accuracy.is_verified:
        return f"{apart[0].upper()}{apart[1:]} on {score.samples:,} random inputs."
    of = f" of {report.accuracy.samples:,}" if score.samples < report.accuracy.samples else ""
    accuracy = _score(report, worst.metric, worst.accuracy)
    return f"{worst.metric} {accuracy} on {score.samples:,}{of} samples; {apart}."


def _score(report: Report, metric: str, value: float) -> str:
    """Format a score: in % if its metric is the report's, and a share."""
    known = report.accuracy.metric
    return format_score(known, value) if metric == known.name else format_number(value)


def _where(score: GpuScore) -> str:
    count = score.operators_on_cpu
    part = f"{count} operator{' is' if count == 1 else 's are'} left to the CPU ('check' names them)"
    whole = "the GPU computes all operators" if score.is_whole else part
    return f"Simulated by {score.accelerator}'s GPU accelerator on {score.adapter}: {whole}."


def to_html(found: Recorded) -> str | None:
    """Render a table of the outputs."""
    summary = gpu_summary(found.report)
    if summary is None:
        return None
    rows = gpu_rows(found.report)
    return render("sections/summary_table.html", title=TITLE, summary=summary, columns=COLUMNS, rows=rows)


def to_markdown(found: Recorded) -> str | None:
    """Render a table of the outputs."""
    summary = gpu_summary(found.report)
    if summary is None:
        return None
    rows = gpu_rows(found.report)
    return "\n\n".join([f"**{TITLE}.** {safe(summary)}", *([table(COLUMNS, rows)] if rows else [])])


def to_terminal(found: Recorded) -> str | None:
    """Render one line."""
    summary = gpu_summary(found.report)
    return None if summary is None else f"GPU, float16: {summary[0].lower()}{summary[1:]}"


register(Section("gpu", 25, to_html, to_markdown, to_terminal))
