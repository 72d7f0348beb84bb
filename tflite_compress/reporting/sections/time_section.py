"""How long each step of the run took."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.support.quantities import format_seconds

COLUMNS = ("step", "time", "share")
OTHERS = "everything else"
SHOWN_SHARE = 0.01  # of the whole time; shorter steps are shown as one
SLOWEST = 3  # on the terminal


def time_rows(report: Report) -> list[tuple[str, float]]:
    """Return the steps with their time in seconds, in the order of the run; short ones as one at the end.

    Args:
        report: A report; one of an earlier version has fewer steps.
    """
    whole = sum(report.seconds.values())
    steps = report.steps or report.seconds
    rows = [(title, seconds) for title, seconds in steps.items() if seconds >= SHOWN_SHARE * whole]
    rest = whole - sum(seconds for _, seconds in rows)
    return [*rows, (OTHERS, rest)] if rest >= SHOWN_SHARE * whole else rows


def _table(report: Report) -> list[tuple[str, str, str]]:
    whole = sum(report.seconds.values())
    return [(title, format_seconds(s), f"{s / whole:.0%}") for title, s in time_rows(report)]


def _summary(report: Report) -> str:
    return f"The run took {format_seconds(sum(report.seconds.values()))}."


def to_html(found: Recorded) -> str | None:
    """Render a table of the steps."""
    rows = _table(found.report)
    return render(
        "sections/summary_table.html",
        title="Time",
        summary=_summary(found.report),
        columns=COLUMNS,
        rows=rows,
    )


def to_markdown(found: Recorded) -> str | None:
    """Render a table of the steps."""
    return f"**Time.** {_summary(found.report)}\n\n{table(COLUMNS, _table(found.report))}"


def to_terminal(found: Recorded) -> str | None:
    """Render the slowest steps on one line."""
    steps = [row for row in time_rows(found.report) if row[0] != OTHERS]
    slowest = sorted(steps, key=lambda row: -row[1])[:SLOWEST]
    return f"slowest steps: {'; '.join(f'{title} {format_seconds(s)}' for title, s in slowest)}"


register(Section("time", 105, to_html, to_markdown, to_terminal))
