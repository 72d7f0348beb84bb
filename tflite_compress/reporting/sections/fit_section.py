"""The fit: what was checked about running the file on the device."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.reporting.wording import YES_NO
from tflite_compress.runtimes.run_result import Measurement


def to_html(found: Recorded) -> str:
    """Render a table of findings."""
    return render("sections/fit.html", device=found.report.device.title, findings=found.report.fit.findings)


def to_markdown(found: Recorded) -> str | None:
    """Render a table of findings."""
    rows = [(f.subject, YES_NO[f.fits], f.text) for f in found.report.fit.findings]
    return table(("checked", "fits", "found"), rows) if rows else None


def to_terminal(found: Recorded) -> str | None:
    """Render flash and RAM where the file fits, else what prevents it and what to do."""
    fit = found.report.fit
    lines = []
    if fit.fits:
        known = [(name, fit.measurement(name)) for name in ("flash", "RAM")]
        lines.append(f"fits: {', '.join(_kilobytes(name, cost) for name, cost in known if cost) or 'yes'}")
    for finding in fit.findings:
        if finding.fits is False:
            lines.append(f"does NOT fit: {finding.text}")
            lines += [f"  hint: {finding.hint}"] if finding.hint else []
    return "\n".join(lines) or None


def _kilobytes(name: str, cost: Measurement) -> str:
    return f"{name} {cost.value / 1024:,.0f} KB ({cost.kind})"


register(Section("fit", 50, to_html, to_markdown, to_terminal))
