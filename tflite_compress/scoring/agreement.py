"""How far the answers of two models agree on each sample, and whether one of two files agrees more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.intervals import (
    RESAMPLES,
    Interval,
    percentile_interval,
    resample_counts,
)
from tflite_compress.scoring.metrics import Head


def probabilities(head: Head, outputs: np.ndarray) -> np.ndarray:
    """Return probabilities from the outputs of a classifier, as float32; other outputs stay as they are.

    Args:
        head: What the output means.
        outputs: Shape (samples, ...).
    """
    values = outputs.astype(np.float32)
    if head.task == "classification" and head.from_logits:
        shifted = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
    if head.task == "binary" and head.from_logits:
        return np.asarray(1.0 / (1.0 + np.exp(-values)), np.float32)
    return values


def sample_agreement(head: Head, originals: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return how far each sample's output agrees with that of the original; 1 for equal outputs.

    For probabilities it is the share that both distributions have in common, the mean over positions such as
    pixels. It also changes where the decision stays, so that few samples show a difference. For values it is
    1 minus the squared error as a multiple of the variance of the original's output.

    Args:
        head: What the output means.
        originals: Outputs of the original, shape (samples, ...).
        outputs: Outputs of another model, same shape.

    Returns:
        float64, shape (samples,).
    """
    a, b = (probabilities(head, values).astype(np.float64) for values in (originals, outputs))
    if head.task == "regression":
        spread = float(np.var(a)) or float(np.mean(a**2)) or 1.0
        return np.asarray(1 - _mean_of_each((a - b) ** 2) / spread)
    apart = np.abs(a - b)
    return np.asarray(1 - _mean_of_each(apart.sum(axis=-1) / 2 if head.task == "classification" else apart))


def _mean_of_each(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.reshape(len(values), -1).mean(axis=1))


@dataclass(frozen=True)
class AgreementGain:
    """By how much one file agrees more with the original than another, on the same samples.

    Attributes:
        mean: Mean gain, from -1 to 1.
        interval: Its confidence interval; None for too few samples.
    """

    mean: float
    interval: Interval | None

    @property
    def is_significant(self) -> bool:
        """True if the whole interval is above 0."""
        return self.interval is not None and self.interval.low > 0

    @property
    def is_significant_loss(self) -> bool:
        """True if the whole interval is below 0."""
        return self.interval is not None and self.interval.high < 0


def compare_agreement(
    before: np.ndarray, after: np.ndarray, candidates: int, confidence: float = 0.95, seed: int = 0
) -> AgreementGain:
    """Compare the agreement of two files on the same samples by a paired bootstrap.

    Args:
        before: Agreement of the first file by sample, shape (samples,).
        after: Agreement of the second.
        candidates: Number of files that are compared with the first; the confidence is corrected for it
            (Bonferroni).
        confidence: Probability that all intervals hold the true gain.
        seed: Seed of the resamples.
    """
    gains = after - before
    samples = len(gains)
    means = np.concatenate([c @ gains / samples for c in resample_counts(samples, RESAMPLES, seed)])
    return AgreementGain(
        float(gains.mean()), percentile_interval(means, samples, 1 - (1 - confidence) / candidates)
    )
