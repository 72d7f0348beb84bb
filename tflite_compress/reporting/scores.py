"""Words for accuracy: scores, their interval, and how they changed."""

from __future__ import annotations

from msgspec.structs import replace

from tflite_compress.reporting.accuracy_figures import Accuracy, MetricFacts
from tflite_compress.scoring.drop_evidence import DropOutcome
from tflite_compress.scoring.intervals import Interval
from tflite_compress.support.quantities import format_number

UNCHANGED = "unchanged"


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
    change = 100 * (-drop if metric.higher_is_better else drop)
    return f"{change:+.3g} {'points' if metric.has_points else '%'}"


def scores_in_words(accuracy: Accuracy) -> str:
    """Return the scores before and after: ``97 % → 96.8 % (-0.2 points)``, or ``97 %, unchanged``."""
    metric = accuracy.metric
    before, after = format_score(metric, accuracy.before), format_score(metric, accuracy.after)
    if accuracy.drop == 0:
        return f"{after}, unchanged"
    return f"{before} → {after} ({accuracy_change(accuracy)})"


def accuracy_sentence(accuracy: Accuracy) -> str:
    """Say how accuracy changed, on how many samples; also what is accepted if it dropped more."""
    text = f"{scores_in_words(accuracy)} on {accuracy.samples:,} samples"
    return (
        text if accuracy.is_kept else f"{text}; accepted: {drop_in_words(accuracy.metric, accuracy.max_drop)}"
    )


def drop_in_words(metric: MetricFacts, drop: float) -> str:
    """Return a drop with the unit of the metric: ``1 point``, for errors ``12.3 % more``."""
    figure = f"{100 * drop:.3g}"
    if not metric.has_points:
        return f"{figure} % more"
    return f"{figure} point{'' if figure == '1' else 's'}"


def what_samples_allow(accuracy: Accuracy) -> str:
    """Say why the samples do not establish whether the drop is accepted, and how many would.

    For example ``16 samples: one changed answer is 6.25 points; about 1,200 samples are needed to see a drop
    of 1 point``.
    """
    found, samples = accuracy.evidence, f"{accuracy.samples:,} sample{'s' if accuracy.samples > 1 else ''}"
    if found is None or found.drop_interval is None:
        return f"{samples} give no interval of the drop"
    if found.changed_samples is not None:
        one = drop_in_words(accuracy.metric, 1 / accuracy.samples)
        text = f"{samples}: one changed answer is {one}"
    else:
        text = (
            f"{samples}: the drop is between {interval_in_words(accuracy.metric, found.drop_interval, 'and')}"
        )
    if found.needed_samples is None:
        return text
    if found.needed_samples <= accuracy.samples:
        return f"{text}; the drop is too close to the accepted one for so many samples"
    seen = drop_in_words(accuracy.metric, accuracy.max_drop)
    return f"{text}; about {found.needed_samples:,} samples are needed to see a drop of {seen}"


def intervals_in_words(accuracy: Accuracy) -> str | None:
    """Name the intervals of score and drop, and the correction for choosing; None if there is no evidence."""
    found = accuracy.evidence
    if found is None:
        return None
    parts, confidence = [], f"{format_number(100 * found.confidence)} % interval"
    if found.after_interval is not None:
        low, high = (format_score(accuracy.metric, end) for end in _ends(found.after_interval))
        parts.append(f"{confidence} {low} to {high}")
    if found.drop_interval is not None:
        how = "paired comparison" if found.method == "paired-score" else "paired bootstrap"
        if found.candidates > 1:
            how += f", Bonferroni correction for {found.candidates} candidates"
        parts.append(
            f"{confidence} of the drop {interval_in_words(accuracy.metric, found.drop_interval)} ({how})"
        )
    return "; ".join(parts) or None


def interval_in_words(metric: MetricFacts, interval: Interval, word: str = "to") -> str:
    """Return the interval of a drop with its unit: ``-0.4 to 1.2 points``, for errors ``-3 to 12 % more``."""
    low, high = (f"{100 * end:.3g}" for end in _ends(interval))
    unit = "points" if metric.has_points else "% more"
    return f"{low} {word} {high} {unit}"


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


OUTCOMES: dict[DropOutcome, str] = {
    "kept": "kept",
    "not-kept": "not kept",
    "not-established": "not established",
}


def accuracy_of_output(accuracy: Accuracy, name: str) -> Accuracy:
    """Return the accuracy of one output as if it were the only one."""
    one = accuracy.by_output[name]
    metric = MetricFacts(
        name=one.metric or accuracy.metric.name,
        higher_is_better=one.higher_is_better,
        is_share=one.is_share,
    )
    return replace(
        accuracy,
        metric=metric,
        before=one.before,
        after=one.after,
        drop=accuracy.drop if one.drop is None else one.drop,
        by_output={name: one},
        deciding_output=None,
        evidence=one.evidence,
    )
