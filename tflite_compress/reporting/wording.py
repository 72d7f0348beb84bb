"""Words for figures: how something changed, and what a verdict means."""

from __future__ import annotations

from tflite_compress.reporting.figures import Accuracy
from tflite_compress.reporting.model import Report, VerdictKind

NO_DIFFERENCE = 0.05  # relative; a smaller difference of latencies is called unchanged
SHOWN_AS_ONE = 0.005  # relative; would be shown as 1x
_VERDICTS: dict[VerdictKind, str] = {
    "passed": "keeps its accuracy",
    "failed": "does not keep its accuracy",
    "unverified": "was not checked for accuracy (no data was given)",
}
UNCHANGED = "unchanged"
YES_NO: dict[bool | None, str] = {True: "yes", False: "no", None: "?"}


def verdict_sentence(report: Report) -> str:
    """Say whether the result keeps its accuracy and fits."""
    agree = report.fit.fits == (report.verdict != "failed")
    fit = f"{'and' if agree else 'but'} {'fits' if report.fit.fits else 'does not fit'} the device"
    return f"{report.recipe.summary} {_VERDICTS[report.verdict]} {fit}."


def size_change(before: float, after: float) -> str:
    """Describe a change of bytes: ``3.3x smaller``, ``1.2x larger`` or ``unchanged``."""
    return _change(before, after, "smaller", "larger", 0.0)


def time_change(before: float, after: float) -> str:
    """Describe a change of latency: ``2.1x faster``, ``1.5x slower`` or ``unchanged`` within 5 %."""
    return _change(before, after, "faster", "slower", NO_DIFFERENCE)


def accuracy_name(accuracy: Accuracy) -> str:
    """Name the metric, and the output that decides where there are several."""
    if accuracy.deciding_output is None:
        return accuracy.metric.name
    return f"{accuracy.metric.name}, output '{accuracy.deciding_output}'"


def accuracy_change(accuracy: Accuracy) -> str:
    """Describe a change of accuracy: ``-0.4 points``, for errors ``+3.1 %``, or ``unchanged``."""
    if accuracy.drop == 0:
        return UNCHANGED
    if accuracy.metric.higher_is_better:
        return f"{-100 * accuracy.drop:+.2f} points"
    return f"{100 * accuracy.drop:+.2f} %"


def _change(before: float, after: float, less: str, more: str, tolerance: float) -> str:
    ratio = max(before, after) / max(min(before, after), 1e-12)
    if ratio - 1 <= max(tolerance, SHOWN_AS_ONE):
        return UNCHANGED
    return f"{ratio:.3g}x {less if after < before else more}"
