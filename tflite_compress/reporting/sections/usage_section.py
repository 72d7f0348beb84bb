"""The three figures that matter on the device, as used-of-limit bars; what was compressed, how and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.html import render
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.scores import drop_in_words, format_score
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register
from tflite_compress.support.quantities import format_bytes, format_ms, format_number, format_value

State = Literal["within", "over", "unsure"]


@dataclass(frozen=True)
class Gauge:
    """One figure beside its limit.

    Attributes:
        name: What it is.
        value: The figure with its unit.
        limit: What it is compared with; None without a limit.
        share: Used part of the limit, above 1 if it is exceeded; None without a limit.
        state: Whether the limit holds; ``unsure`` where the range of an estimate includes it.
    """

    name: str
    value: str
    limit: str | None
    share: float | None
    state: State


def gauges(report: Report) -> list[Gauge]:
    """Return flash, RAM and latency for a microcontroller; file, latency and accuracy for other devices."""
    if report.device.kind == "microcontroller":
        named = (("Flash", "flash"), ("RAM", "RAM"))
        found = [_sized(name, finding) for name, s in named if (finding := _finding(report, s)) is not None]
        return [*found, _latency(report)]
    return [_file(report), _latency(report), *_accuracy(report)]


def _finding(report: Report, subject: str) -> Finding | None:
    return next((f for f in report.fit.findings if f.subject == subject and f.measurement is not None), None)


def _sized(name: str, finding: Finding) -> Gauge:
    figure, limit = finding.measurement, finding.limit
    assert figure is not None
    about = "" if figure.kind == "measured" else "about "
    value = about + format_value(figure.value, figure.unit)
    if limit is None:
        return Gauge(name, value, None, None, "within")
    share = figure.value / limit
    text = f"{format_number(100 * share)} % of {format_value(limit, figure.unit)}"
    return Gauge(name, value, text, share, _state(finding))


def _state(finding: Finding) -> State:
    return "unsure" if finding.fits is None else ("within" if finding.fits else "over")


def _file(report: Report) -> Gauge:
    finding = _finding(report, "flash")
    if finding is not None and finding.limit is not None:
        return _sized("File", finding)
    before, after = report.size.baseline.bytes, report.size.result.bytes
    return Gauge("File", format_bytes(after), f"float32: {format_bytes(before)}", None, "within")


def _latency(report: Report) -> Gauge:
    finding = _finding(report, "latency")
    if finding is not None:
        return _sized("Latency on the device", finding)
    here = report.latency.result.median_ms
    return Gauge("Latency here, not on the device", format_ms(here), "no limit set", None, "within")


def _accuracy(report: Report) -> list[Gauge]:
    accuracy = report.accuracy
    if not accuracy.is_verified:
        return []
    share = max(0.0, accuracy.drop) / accuracy.max_drop if accuracy.max_drop > 0 else None
    used = drop_in_words(accuracy.metric, max(0.0, accuracy.drop))
    text = f"drop {used} of the accepted {drop_in_words(accuracy.metric, accuracy.max_drop)}"
    state: State = "within" if accuracy.is_kept else "over"
    return [Gauge("Accuracy", format_score(accuracy.metric, accuracy.after), text, share, state)]


def facts(found: Recorded) -> str:
    """Return model, recipe, size of the network, version and date in one line."""
    report = found.report
    macs = [format_number(report.macs.baseline.value), format_number(report.macs.result.value)]
    parts = [
        f"Model {report.model.name}, {report.model.format}",
        f"{format_number(report.parameters.original)} parameters",
        f"{' → '.join(dict.fromkeys(macs))} MACs",
        f"recipe {': '.join(dict.fromkeys((report.recipe.name, report.recipe.summary)))}",
    ]
    when = report.created.replace("T", " ")[:16]
    return f"{'; '.join(parts)}. Made {when} UTC."


def to_html(found: Recorded) -> str:
    """Render a bar for each figure."""
    return render("sections/usage.html", gauges=gauges(found.report), facts=facts(found))


IN_FIGURES = NotShown("the verdict and the figures before and after show them as text")
register(Section("usage", 15, to_html, IN_FIGURES, IN_FIGURES))
