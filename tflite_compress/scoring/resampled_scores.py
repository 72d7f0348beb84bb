"""Metrics of many resamples at once, for the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

ScoresOfCounts = Callable[[np.ndarray], np.ndarray]
ResampledScores = Callable[[np.ndarray, np.ndarray], ScoresOfCounts]


@runtime_checkable
class CountedScore(Protocol):
    """A score that also computes resamples at once."""

    def __call__(self, targets: np.ndarray, predictions: np.ndarray) -> float:
        """Return the score of all samples."""

    def resampled(self, targets: np.ndarray, predictions: np.ndarray) -> ScoresOfCounts:
        """Return the function that computes the scores of resamples."""


def r2_resampled(targets: np.ndarray, predictions: np.ndarray) -> ScoresOfCounts:
    """Return the function that computes the coefficient of determination of resamples.

    Args:
        targets: Shape (samples, ...).
        predictions: Shape (samples, ...).

    Returns:
        A function of how often each sample occurs, shape (resamples, samples). It returns scores of shape
        (resamples,); NaN where the targets of a resample are equal.
    """
    wanted = targets.reshape(len(targets), -1).astype(np.float64)
    wanted = wanted - wanted.mean(axis=0)
    errors = targets.reshape(predictions.shape) - predictions.astype(np.float64)
    squared = np.sum(errors.reshape(len(targets), -1) ** 2, axis=1)

    def scores(counts: np.ndarray) -> np.ndarray:
        means = counts @ wanted / len(targets)
        spread = counts @ np.sum(wanted**2, axis=1) - len(targets) * np.sum(means**2, axis=1)
        return np.where(spread > 0, 1.0 - counts @ squared / np.where(spread > 0, spread, 1.0), np.nan)

    return scores
