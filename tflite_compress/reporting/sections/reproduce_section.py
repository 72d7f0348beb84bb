"""How to reproduce the result."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register


def to_html(found: Recorded) -> str:
    """Render the command of the run and the command that repeats it."""
    report = found.report
    return render(
        "sections/reproduce.html",
        command=report.command,
        peak=report.peak_memory_bytes,
    )


def to_markdown(found: Recorded) -> str:
    """Render the command that repeats the run."""
    return f"Reproduce: `tflite-compress repeat {found.folder / 'manifest.json'}`"


register(Section("reproduce", 110, to_html, to_markdown, NotShown("the user has just typed the command")))
