"""Charts: size against accuracy of every file tried, and accuracy through the passes."""

from __future__ import annotations

from tflite_compress.reporting.html import markup, render
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.page_plots import through_passes
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register
from tflite_compress.reporting.trade_off_plot import Point, size_and_accuracy


def file_points(report: Report) -> list[Point]:
    """Return the baseline, files that were tried and rejected, and the kept file."""
    accuracy = report.accuracy
    baseline = Point("float32", report.size.baseline.bytes, accuracy.before, "before")
    kept = Point(report.recipe.summary, report.size.result.bytes, accuracy.after, "after")
    rejected = [
        Point(candidate.summary, last.bytes, last.accuracy, "bad")
        for candidate in report.candidates
        if candidate.passes != report.passes
        for last in candidate.passes[-1:]
        if last.bytes is not None
    ]
    return [baseline, *rejected, kept]


def to_html(found: Recorded) -> str | None:
    """Render the charts that have something to show."""
    report = found.report
    metric = report.accuracy.metric
    files = size_and_accuracy(file_points(report), metric)
    passes = through_passes(report)
    if files is None and passes is None:
        return None
    return render(
        "sections/charts.html",
        metric=metric.name,
        samples=report.accuracy.samples,
        is_verified=report.accuracy.is_verified,
        pareto=markup(files) if files else None,
        passes=markup(passes) if passes else None,
    )


NO_PICTURES = NotShown("charts are pictures; the passes' figures are in their own section")
register(Section("charts", 30, to_html, NO_PICTURES, NO_PICTURES))
