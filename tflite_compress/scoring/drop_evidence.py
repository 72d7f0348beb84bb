"""What the evaluation samples say about an accuracy drop: kept, not kept, or not established.

Both models answer the same samples, so the drop is judged by a paired comparison: a score interval for right
and wrong answers, the paired bootstrap for other metrics.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from tflite_compress.scoring.intervals import (
    Interval,
    normal_quantile,
    paired_share_interval,
    percentile_interval,
    resample_counts,
    resamples_for,
    wilson_interval,
)
from tflite_compress.scoring.metrics import Metric
from tflite_compress.scoring.reference import Outputs, Reference

DropOutcome = Literal["kept", "not-kept", "not-established"]
SEVERITY: tuple[DropOutcome, ...] = ("kept", "not-established", "not-kept")
MAX_SECONDS = 60.0  # for the resamples of a slow metric
MIN_RESAMPLES = 200


@dataclass(frozen=True)
class DropRule:
    """How a drop is judged.

    Attributes:
        max_drop: Largest accepted drop.
        confidence: Probability that all intervals of the candidates together hold the true drops.
        candidates: Number of candidates that were compared on the same samples.
        seed: Seed of the resamples.
    """

    max_drop: float
    confidence: float = 0.95
    candidates: int = 1
    seed: int = 0

    @property
    def corrected_confidence(self) -> float:
        """Confidence of one candidate's interval, by Bonferroni's correction."""
        return 1 - (1 - self.confidence) / self.candidates


class DropEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the evaluation samples say about the drop of one output.

    Attributes:
        outcome: ``kept`` if the whole interval of the drop is accepted, ``not-kept`` if none of it is, else
            ``not-established``.
        confidence: Confidence that was asked for.
        candidates: Number of candidates that were compared on the same samples. The interval of the drop is
            wider for several (Bonferroni).
        method: How the interval of the drop was computed.
        drop_interval: Interval of the drop; None if there are too few samples for one.
        before_interval: Interval of the original's score; None without one, and without labels.
        after_interval: Interval of the file's score; None without one.
        changed_samples: Samples that only one of the two models answers correctly; None for a metric that
            does not count right answers.
        needed_samples: About how many samples an interval needs that reaches ``max_drop`` to each side; None
            if that is unknown.
    """

    outcome: DropOutcome
    confidence: float
    candidates: int
    method: Literal["paired-score", "paired-bootstrap"]
    drop_interval: Interval | None
    before_interval: Interval | None
    after_interval: Interval | None
    changed_samples: int | None
    needed_samples: int | None


def judge_interval(interval: Interval | None, max_drop: float) -> DropOutcome:
    """Return whether an interval of a drop lies within the accepted drop, beyond it, or on both sides."""
    if interval is None:
        return "not-established"
    if interval.high <= max_drop:
        return "kept"
    return "not-kept" if interval.low > max_drop else "not-established"


def evidence_by_output(reference: Reference, outputs: Outputs, rule: DropRule) -> tuple[DropEvidence, ...]:
    """Compare outputs with those of the original on the evaluation samples.

    Args:
        reference: The original model on the data.
        outputs: One array per output, shape (samples, ...).
        rule: How a drop is judged.

    Returns:
        The evidence on each output.
    """
    pair = reference.scored_originals, reference.scored(outputs)
    rows = zip(reference.metrics, reference.targets, *pair, strict=True)
    found = (compare_outputs(metric, y, before, after, rule) for metric, y, before, after in rows)
    if reference.labelled:
        return tuple(found)
    return tuple(msgspec.structs.replace(one, before_interval=None) for one in found)


def compare_outputs(
    metric: Metric, targets: np.ndarray, before: np.ndarray, after: np.ndarray, rule: DropRule
) -> DropEvidence:
    """Compare two models' predictions of one output on the same samples.

    Args:
        metric: The metric.
        targets: Shape (samples, ...).
        before: Predictions of the original, shape (samples, ...).
        after: Predictions of the file, shape (samples, ...).
        rule: How a drop is judged.
    """
    if metric.is_share and metric.is_mean:
        scores = sample_scores(metric, targets, before), sample_scores(metric, targets, after)
        if all(np.all((score == 0) | (score == 1)) for score in scores):
            return _compare_answers(*scores, rule)
    return _compare_resamples(metric, targets, before, after, rule)


def score_interval(
    metric: Metric, targets: np.ndarray, predictions: np.ndarray, confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Return the interval of one model's score; None if there are too few samples for one.

    Args:
        metric: The metric.
        targets: Shape (samples, ...).
        predictions: Shape (samples, ...).
        confidence: Probability that the interval holds the true score.
        seed: Seed of the resamples.
    """
    if metric.is_share and metric.is_mean:
        each = sample_scores(metric, targets, predictions)
        if np.all((each == 0) | (each == 1)):
            return wilson_interval(float(each.mean()), len(each), confidence)
    scores = _resampled(metric, targets, (predictions,), seed)
    return _bootstrap_interval(metric, scores[:, 0], len(targets), confidence)


def _bootstrap_interval(
    metric: Metric, scores: np.ndarray, samples: int, confidence: float
) -> Interval | None:
    """Return the interval of a score; that of a share where the resamples of decisions are all equal."""
    found = percentile_interval(scores, samples, confidence)
    if found is None or found.low != found.high or not _counts_decisions(metric) or not 0 <= found.low <= 1:
        return found
    return wilson_interval(found.low, samples, confidence)


def _counts_decisions(metric: Metric) -> bool:
    """Return whether equal scores of all resamples say little: values of outputs would differ."""
    return metric.is_share or not metric.compares_values


def sample_scores(metric: Metric, targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return the score of each sample by a metric that is a mean, shape (samples,)."""
    rows = range(len(predictions))
    return np.array([metric.function(targets[i : i + 1], predictions[i : i + 1]) for i in rows])


def _compare_answers(before: np.ndarray, after: np.ndarray, rule: DropRule) -> DropEvidence:
    """Compare right (1) and wrong (0) answers."""
    samples = len(before)
    lost, gained = int(np.sum(before > after)), int(np.sum(after > before))
    interval = paired_share_interval(lost, gained, samples, rule.corrected_confidence)
    spread = (lost + gained + 0.5) / (samples + 1)
    z, limit = normal_quantile(rule.corrected_confidence), rule.max_drop
    needed = max(spread * (z / limit) ** 2, z**2 * (1 - limit) / limit) if 0 < limit < 1 else None
    return DropEvidence(
        outcome=judge_interval(interval, limit),
        confidence=rule.confidence,
        candidates=rule.candidates,
        method="paired-score",
        drop_interval=interval,
        before_interval=wilson_interval(float(before.mean()), samples, rule.confidence),
        after_interval=wilson_interval(float(after.mean()), samples, rule.confidence),
        changed_samples=lost + gained,
        needed_samples=_rounded_up(needed),
    )


def _compare_resamples(
    metric: Metric, targets: np.ndarray, before: np.ndarray, after: np.ndarray, rule: DropRule
) -> DropEvidence:
    samples = len(before)
    scores = _resampled(metric, targets, (before, after), rule.seed)
    drops = np.array([metric.drop(old, new) for old, new in scores])
    interval = percentile_interval(drops, samples, rule.corrected_confidence)
    if interval is not None and interval.low == interval.high and _counts_decisions(metric):
        # No decision changed: a change may still be as frequent as none of so many samples allows.
        unseen = paired_share_interval(0, 0, samples, rule.corrected_confidence)
        interval = Interval(interval.low + unseen.low, interval.high + unseen.high)
    needed = None
    if interval is not None and rule.max_drop > 0:
        needed = samples * ((interval.high - interval.low) / (2 * rule.max_drop)) ** 2
    return DropEvidence(
        outcome=judge_interval(interval, rule.max_drop),
        confidence=rule.confidence,
        candidates=rule.candidates,
        method="paired-bootstrap",
        drop_interval=interval,
        before_interval=_bootstrap_interval(metric, scores[:, 0], samples, rule.confidence),
        after_interval=_bootstrap_interval(metric, scores[:, 1], samples, rule.confidence),
        changed_samples=None,
        needed_samples=_rounded_up(needed),
    )


def _resampled(
    metric: Metric, targets: np.ndarray, predictions: tuple[np.ndarray, ...], seed: int
) -> np.ndarray:
    """Return the scores of all models on the same resamples, (resamples, models); NaN where undefined."""
    samples = len(targets)
    if metric.is_mean:
        each = np.stack([sample_scores(metric, targets, p) for p in predictions], axis=1)
        blocks = resample_counts(samples, resamples_for(len(predictions) * samples), seed)
        return np.concatenate([counts @ each / samples for counts in blocks])
    values = targets.size + sum(p.size for p in predictions)
    if metric.resampled is not None:
        scores = [metric.resampled(targets, p) for p in predictions]
        blocks = resample_counts(samples, resamples_for(values), seed)
        rows = [np.stack([score(counts) for score in scores], axis=1) for counts in blocks]
        return np.concatenate(rows)
    return _called(metric, targets, predictions, seed, resamples_for(values))


def _called(
    metric: Metric,
    targets: np.ndarray,
    predictions: tuple[np.ndarray, ...],
    seed: int,
    resamples: int,
) -> np.ndarray:
    """Call the metric for each resample, less often if it is slow."""
    start, rows = time.monotonic(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample may lack a class
        for counts in resample_counts(len(targets), resamples, seed):
            for row in counts.astype(np.int64):
                chosen = np.repeat(np.arange(len(targets)), row)
                rows.append([_score(metric, targets[chosen], p[chosen]) for p in predictions])
            if len(rows) >= MIN_RESAMPLES and time.monotonic() - start > MAX_SECONDS:
                break
    return np.array(rows)


def _score(metric: Metric, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return a score; NaN where the metric is not defined on a resample."""
    try:
        return float(metric.function(targets, predictions))
    except Exception:  # a user's function may raise anything, for example where a resample lacks a class
        return math.nan


def _rounded_up(samples: float | None) -> int | None:
    """Return a number of samples rounded up to two digits."""
    if samples is None or not math.isfinite(samples):
        return None
    step = 10 ** max(0, math.floor(math.log10(max(samples, 1))) - 1)
    return int(math.ceil(samples / step) * step)
