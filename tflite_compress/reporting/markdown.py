"""A result as Markdown for a pull request, from ``report.json``."""

from __future__ import annotations

from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import all_sections
from tflite_compress.reporting.sections.section_registry import render_sections


def result_markdown(found: Recorded) -> str:
    """Render one result with every section that Markdown shows."""
    return "\n\n".join(render_sections(all_sections(), "markdown", found)) + "\n"
