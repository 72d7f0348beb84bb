"""Words for accuracy: scores, their interval, and how they changed."""

from __future__ import annotations

import math

from tflite_compress.reporting.figures import Accuracy, MetricFacts
from tflite_compress.support.quantities import format_number

UNCHANGED = "unchanged"
_Z = 1.96  # standard normal quantile of a 95 % interval


def accuracy_name(accuracy: Accuracy) -> str:
    """Name the metric, and the output that decides where there are several."""
    if accuracy.deciding_output is None:
        return accuracy.metric.name
    return f"{accuracy.metric.name}, output '{accuracy.deciding_output}'"


def format_score(metric: MetricFacts, value: float) -> str:
    """Return a score: a share in %, another metric as a number, with three significant digits."""
    return f"{format_number(100 * value)} %" if metric.is_share else format_number(value)


def accuracy_change(accuracy: Accuracy) -> str:
    """Describe a change of accuracy: ``-0.4 points``, for errors ``+3.1 %``, or ``unchanged``."""
    return change_in_words(accuracy.metric, accuracy.drop)


def change_in_words(metric: MetricFacts, drop: float) -> str:
    """Describe an accuracy drop as a change: ``-0.4 points``, for errors ``+3.1 %``, or ``unchanged``."""
    if drop == 0:
        return UNCHANGED
    return f"{-100 * drop:+.3g} points" if metric.higher_is_better else f"{100 * drop:+.3g} %"


def accuracy_sentence(accuracy: Accuracy) -> str:
    """Say how accuracy changed, on how many samples; also what is accepted if it dropped more."""
    metric = accuracy.metric
    before, after = format_score(metric, accuracy.before), format_score(metric, accuracy.after)
    if accuracy.drop == 0:
        return f"{after}, unchanged on {accuracy.samples:,} samples"
    text = f"{before} → {after} ({accuracy_change(accuracy)}) on {accuracy.samples:,} samples"
    return (
        text if accuracy.is_kept else f"{text}; accepted: {drop_in_words(accuracy.metric, accuracy.max_drop)}"
    )


def drop_in_words(metric: MetricFacts, drop: float) -> str:
    """Return a drop with the unit of the metric: ``1 point``, for errors ``12.3 % more``."""
    figure = f"{100 * drop:.3g}"
    if not metric.higher_is_better:
        return f"{figure} % more"
    return f"{figure} point{'' if figure == '1' else 's'}"


def score_interval(accuracy: Accuracy) -> tuple[float, float] | None:
    """Return the 95 % interval (Wilson) of the result's score; None for a metric without one."""
    n, p = accuracy.samples, accuracy.after
    if not accuracy.metric.is_share or not accuracy.is_verified or not n:
        return None
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)
