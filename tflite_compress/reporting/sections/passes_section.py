"""The passes that made the file, and the recipes that were tried before."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register


def to_html(found: Recorded) -> str:
    """Render every candidate with its passes, and the versions of the packages used."""
    details = found.report.details
    return render(
        "sections/passes.html",
        candidates=found.report.candidates,
        versions=found.manifest.get("versions", {}),
        outputs=found.manifest.get("outputs", {}),
        missing=[note.text for note in details.missing] if details else [],
    )


def to_markdown(found: Recorded) -> str | None:
    """Render the passes that made the file."""
    rows = [
        (
            step.name if step.is_applied else f"{step.name} (no change)",
            f"{step.accuracy:.4f}",
            f"{step.bytes:,}" if step.bytes is not None else "",
            f"{step.seconds:.1f}",
        )
        for step in found.report.passes
    ]
    return table(("pass", "accuracy after", "bytes", "seconds"), rows) if rows else None


def to_terminal(found: Recorded) -> str | None:
    """Render the candidates of a failed result, to show which pass lowered the accuracy."""
    if found.report.verdict.kind != "accuracy-not-kept":
        return None
    lines = ["accuracy after each pass:"]
    for candidate in found.report.candidates:
        steps = ", ".join(f"{step.name} {step.accuracy:.4f}" for step in candidate.passes)
        problem = f" ({candidate.error})" if candidate.error else ""
        lines.append(f"  {candidate.summary}: {steps or 'no pass finished'}{problem}")
    return "\n".join(lines)


register(Section("passes", 120, to_html, to_markdown, to_terminal))
