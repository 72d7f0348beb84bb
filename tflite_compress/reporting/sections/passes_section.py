"""The passes that made the file, and the recipes that were tried before."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.scores import format_score
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.support.quantities import format_bytes, format_seconds


def to_html(found: Recorded) -> str:
    """Render every candidate with its passes, and the versions of the packages used."""
    details, metric = found.report.details, found.report.accuracy.metric
    return render(
        "sections/passes.html",
        candidates=found.report.candidates,
        score=lambda value: format_score(metric, value),
        size=format_bytes,
        duration=format_seconds,
        versions=found.manifest.get("versions", {}),
        outputs=found.manifest.get("outputs", {}),
        missing=[note.text for note in details.missing] if details else [],
    )


def to_markdown(found: Recorded) -> str | None:
    """Render the passes that made the file."""
    metric = found.report.accuracy.metric
    rows = [
        (
            step.name if step.is_applied else f"{step.name} (no change)",
            format_score(metric, step.accuracy),
            format_bytes(step.bytes) if step.bytes is not None else "",
            format_seconds(step.seconds),
        )
        for step in found.report.passes
    ]
    return table(("pass", "accuracy after", "size", "time"), rows) if rows else None


def to_terminal(found: Recorded) -> str | None:
    """Render the candidates of a failed result, to show which pass lowered the accuracy."""
    if found.report.accuracy.is_kept is not False:
        return None
    metric = found.report.accuracy.metric
    lines = ["accuracy after each pass:"]
    for candidate in found.report.candidates:
        steps = ", ".join(f"{step.name} {format_score(metric, step.accuracy)}" for step in candidate.passes)
        problem = f" ({candidate.error})" if candidate.error else ""
        lines.append(f"  {candidate.summary}: {steps or 'no pass finished'}{problem}")
    return "\n".join(lines)


register(Section("passes", 120, to_html, to_markdown, to_terminal))
