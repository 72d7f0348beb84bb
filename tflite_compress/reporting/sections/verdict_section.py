"""The verdict: whether the file can be deployed to the device, why, and what to do next."""

from __future__ import annotations

from tflite_compress.checking.device_verdict import mark_of
from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import safe
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register


def to_html(found: Recorded) -> str:
    """Render the title and the verdict."""
    verdict = found.report.verdict
    return render(
        "sections/verdict.html", title=page_title(found), verdict=verdict, mark=mark_of(verdict.kind)
    )


def page_title(found: Recorded) -> str:
    """Name the model and the device."""
    return f"{found.model} for {found.report.device.title}"


def to_markdown(found: Recorded) -> str:
    """Render the title and the verdict."""
    verdict = found.report.verdict
    lines = [
        f"## {safe(page_title(found))}",
        f"{mark_of(verdict.kind)} **{verdict.words}**: {safe(verdict.reason)}",
    ]
    if verdict.next_step is not None:
        lines.append(f"Next: {safe(verdict.next_step)}")
    return "\n\n".join(lines)


def to_terminal(found: Recorded) -> str:
    """Render the verdict with its reason and the next step."""
    verdict = found.report.verdict
    text = f"{mark_of(verdict.kind)} {verdict.words}: {verdict.reason}"
    return text if verdict.next_step is None else f"{text}\nnext: {verdict.next_step}"


register(Section("verdict", 10, to_html, to_markdown, to_terminal))
