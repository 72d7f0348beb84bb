"""Time by operator on the machine that ran the tool."""

from __future__ import annotations

from tflite_compress.reporting.detail_figures import OperatorRow, OperatorTimes
from tflite_compress.reporting.html import render
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register
from tflite_compress.support.quantities import format_ms, format_number

MAX_ROWS = 25


def to_html(found: Recorded) -> str | None:
    """Render a table, slowest operators first."""
    times = found.report.details.operator_times if found.report.details else None
    if times is None or not times.rows:
        return None
    slowest = sorted(times.rows, key=lambda row: -row.ms)
    cells = [_cells(row, times) for row in slowest[:MAX_ROWS]]
    return render(
        "sections/operators.html",
        times=times,
        total=format_ms(times.total_ms),
        rows=cells,
        rest=len(slowest) - len(cells),
    )


def _cells(row: OperatorRow, times: OperatorTimes) -> tuple[str | float, ...]:
    """Return operator, layer, time, share, MACs, throughput and the width of the bar in %."""
    share = 100 * row.ms / max(times.total_ms, 1e-9)
    known = row.is_above_noise
    return (
        row.operator,
        row.layer,
        format_ms(row.ms) if known else "below noise",
        f"{format_number(share)} %" if known else "",
        format_number(row.macs) if row.macs else "",
        format_number(row.gmacs_per_s) if row.gmacs_per_s is not None else "",
        max(0.0, min(100.0, share)) if known else 0.0,
    )


SEE_PROFILE = NotShown("'tflite-compress profile' prints the time of each operator")
register(Section("operators", 80, to_html, SEE_PROFILE, SEE_PROFILE))
