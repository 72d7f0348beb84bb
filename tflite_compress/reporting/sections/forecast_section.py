"""What pruning was estimated to cost before training, and what it cost."""

from __future__ import annotations

from tflite_compress.reporting.figures import Forecast, LevelCost
from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import table
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register

TITLE = "Forecast (estimated)"
COLUMNS = ("level", "drop without training, estimated", "drop after training, estimated")


def _points(drop: float) -> str:
    return f"{100 * drop:.3g} points"


def forecast_summary(forecast: Forecast) -> str:
    """Compare the estimate with what was measured, in one sentence or two."""
    used = (
        f"{forecast.setting} {forecast.used.level:g}: accuracy drop estimated before training "
        f"{_points(forecast.used.estimated_drop)}, measured {_points(forecast.measured_drop)}."
    )
    if forecast.used.level == forecast.asked.level:
        return used
    asked = f"{forecast.asked.level:g} was asked for, estimated {_points(forecast.asked.estimated_drop)}."
    return f"{used} {asked}"


def _row(cost: LevelCost) -> tuple[str, ...]:
    return f"{cost.level:.3g}", _points(cost.untrained_drop), _points(cost.estimated_drop)


def to_html(found: Recorded) -> str | None:
    """Render the comparison and a table of levels."""
    forecast = found.report.forecast
    if forecast is None:
        return None
    rows = [_row(cost) for cost in forecast.scanned]
    summary = forecast_summary(forecast)
    return render("sections/summary_table.html", title=TITLE, summary=summary, columns=COLUMNS, rows=rows)


def to_markdown(found: Recorded) -> str | None:
    """Render the comparison and a table of levels."""
    forecast = found.report.forecast
    if forecast is None:
        return None
    rows = [_row(cost) for cost in forecast.scanned]
    return f"**{TITLE}.** {forecast_summary(forecast)}\n\n{table(COLUMNS, rows)}"


def to_terminal(found: Recorded) -> str | None:
    """Render one line."""
    forecast = found.report.forecast
    return None if forecast is None else f"Forecast: {forecast_summary(forecast)}"


register(Section("forecast", 28, to_html, to_markdown, to_terminal))
