"""The verdict: whether the result keeps its accuracy and fits the device."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import safe
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register
from tflite_compress.reporting.wording import accuracy_name, verdict_sentence

MARKS = {"passed": "✓", "failed": "✗", "unverified": "?"}


def verdict_detail(report: Report) -> str:
    """Say what the verdict on accuracy rests on."""
    accuracy = report.accuracy
    if not accuracy.is_verified:
        return "Outputs were compared on random inputs only."
    points = accuracy.metric.higher_is_better
    limit = f"{100 * accuracy.max_drop:g} %" if not points else _points(100 * accuracy.max_drop)
    count = len(accuracy.by_output)
    decides = "" if accuracy.deciding_output is None else f" It is the worst of {count} outputs."
    return (
        f"{accuracy_name(accuracy)}: {accuracy.before:.4f} → {accuracy.after:.4f} on {accuracy.samples:,} "
        f"samples; the accepted drop is {limit}.{decides}{_on_gpu(report)}"
    )


def _on_gpu(report: Report) -> str:
    """Say how much accuracy is lost on the GPU, where that decides the verdict."""
    if report.gpu is None or report.gpu.score is None or report.judged_drop <= report.accuracy.max_drop:
        return ""
    if report.gpu.score.fault is not None:
        return f" It fails in float16: {report.gpu.score.fault}."
    if report.judged_drop > report.accuracy.drop:
        return f" In float16 on the GPU, the drop is {_points(float(f'{100 * report.judged_drop:.3g}'))}."
    return ""


def _points(count: float) -> str:
    return f"{count:g} point{'' if count == 1 else 's'}"


def overall(report: Report) -> str:
    """Return ``passed``, ``failed`` or ``unverified``; a file that does not fit has failed."""
    return report.verdict if report.fit.fits else "failed"


def to_html(found: Recorded) -> str:
    """Render the title and the verdict."""
    report = found.report
    return render(
        "sections/verdict.html",
        title=page_title(found),
        kind=overall(report),
        mark=MARKS[overall(report)],
        text=verdict_sentence(report),
        detail=verdict_detail(report),
    )


def page_title(found: Recorded) -> str:
    """Name the model and the device."""
    return f"{found.model} for {found.report.device.title}"


def to_markdown(found: Recorded) -> str:
    """Render the title and the verdict."""
    report = found.report
    return f"## {safe(page_title(found))}\n\n**{safe(verdict_sentence(report))}** {verdict_detail(report)}"


register(
    Section(
        "verdict", 10, to_html, to_markdown, NotShown("the table of results shows the verdict of each device")
    )
)
