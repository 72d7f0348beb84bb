"""The fit: what was checked about running the file on the device."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register
from tflite_compress.reporting.wording import YES_NO


def to_html(found: Recorded) -> str:
    """Render a table of findings."""
    return render("sections/fit.html", device=found.report.device.title, findings=found.report.fit.findings)


def to_markdown(found: Recorded) -> str | None:
    """Render a table of findings."""
    rows = [(f.subject, YES_NO[f.fits], f.text) for f in found.report.fit.findings]
    return table(("checked", "fits", "found"), rows) if rows else None


register(
    Section("fit", 50, to_html, to_markdown, NotShown("the verdict names what prevents it, with its figures"))
)
