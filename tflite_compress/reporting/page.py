"""Results as one self-contained HTML page, from ``report.json`` and ``manifest.json`` alone."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.checking.device_verdict import mark_of
from tflite_compress.reporting.comparison import HEADS, RIGHT_ALIGNED, comparison_row
from tflite_compress.reporting.facts_page import Table, block_html
from tflite_compress.reporting.html import markup, render_page
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import all_sections
from tflite_compress.reporting.sections.notes_section import note_line
from tflite_compress.reporting.sections.section_registry import render_sections
from tflite_compress.reporting.sections.verdict_section import page_title
from tflite_compress.reporting.trade_off_plot import Point, size_and_accuracy


def result_page(found: Recorded) -> str:
    """Render one result with every section.

    Args:
        found: The result.

    Returns:
        HTML that loads nothing.
    """
    sections = [markup(text) for text in render_sections(all_sections(), "html", found)]
    return render_page("result.html", title=page_title(found), sections=sections)


def comparison_page(found: Sequence[Recorded]) -> str:
    """Render several results side by side.

    Args:
        found: The results.
    """
    metrics = {item.report.accuracy.metric for item in found}
    metric = found[0].report.accuracy.metric
    plot = size_and_accuracy(_points(found), metric) if len(metrics) == 1 else None
    results = [
        {
            "name": page_title(item),
            "mark": mark_of(item.report.verdict.kind),
            "verdict": item.report.verdict,
            "notes": [note_line(note) for note in item.report.notes],
            "command": item.report.command,
        }
        for item in found
    ]
    rows = tuple((str(number), *comparison_row(item)) for number, item in enumerate(found, 1))
    table = Table("Side by side", ("#", *HEADS), rows, RIGHT_ALIGNED)
    return render_page(
        "compare.html",
        title=f"{len(found)} results side by side",
        pareto=markup(plot) if plot else None,
        table=markup(block_html(table)),
        results=results,
    )


def _points(found: Sequence[Recorded]) -> list[Point]:
    baselines = {(item.report.size.baseline.bytes, item.report.accuracy.before) for item in found}
    points = [Point("float32", size, score, "before") for size, score in sorted(baselines)]
    for number, item in enumerate(found, 1):
        size, score = item.report.size.result.bytes, item.report.accuracy.after
        points.append(Point(str(number), size, score, "after" if item.report.verdict.is_accepted else "bad"))
    return points
