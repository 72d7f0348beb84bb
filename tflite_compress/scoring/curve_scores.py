"""Scores of rankings: area under the ROC curve, average precision, equal error rate."""

from __future__ import annotations

import numpy as np


def roc_curve(positives: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at each threshold, from the highest to the lowest.

    Args:
        positives: True or 1 for positive samples, shape (samples,).
        scores: Higher for samples that are more likely positive, shape (samples,).

    Returns:
        Two arrays that begin at 0 and end at 1; NaN without positives or without negatives.
    """
    hits, others = _counts(positives, scores)
    with np.errstate(invalid="ignore"):
        return np.append(0.0, others / others[-1]), np.append(0.0, hits / hits[-1])


def _counts(positives: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positives and negatives at or above each distinct score, from the highest."""
    order = np.argsort(-scores, kind="stable")
    ranked, wanted = scores[order], np.asarray(positives, bool)[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # equal scores share a threshold
    hits = np.cumsum(wanted)[ends].astype(np.float64)
    return hits, ends + 1.0 - hits


def area_under_roc(positives: np.ndarray, scores: np.ndarray, max_fpr: float = 1.0) -> float:
    """Return the area under the ROC curve up to a false positive rate.

    A part of the curve is scaled so that chance is 0.5 and a perfect ranking 1 (McClish, Med. Decis. Making
    9, 1989), as in scikit-learn and MLPerf Tiny.

    Args:
        positives: True or 1 for positive samples, shape (samples,).
        scores: Higher for samples that are more likely positive, shape (samples,).
        max_fpr: Largest false positive rate that counts.
    """
    fpr, tpr = roc_curve(positives, scores)
    if not np.isfinite(fpr[-1] + tpr[-1]):
        return float("nan")
    if max_fpr == 1:
        return float(np.trapezoid(tpr, fpr))
    stop = int(np.searchsorted(fpr, max_fpr, side="right"))
    edge = np.interp(max_fpr, fpr[stop - 1 : stop + 1], tpr[stop - 1 : stop + 1])
    area = np.trapezoid(np.append(tpr[:stop], edge), np.append(fpr[:stop], max_fpr))
    chance = max_fpr**2 / 2
    return float(0.5 * (1 + (area - chance) / (max_fpr - chance)))


def average_precision(positives: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean of the precisions at each positive sample, NaN without positives."""
    hits, others = _counts(positives, scores)
    if not hits[-1]:
        return float("nan")
    return float(np.sum(np.diff(hits, prepend=0.0) / hits[-1] * hits / (hits + others)))


def equal_error_rate(positives: np.ndarray, scores: np.ndarray) -> float:
    """Return the error rate at the threshold where as many negatives pass as positives fail."""
    fpr, tpr = roc_curve(positives, scores)
    gap = fpr - (1 - tpr)
    after = int(np.argmax(gap >= 0))
    if not np.isfinite(gap).all() or after == 0:
        return float("nan")
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(fpr[after - 1] + share * (fpr[after] - fpr[after - 1]))
