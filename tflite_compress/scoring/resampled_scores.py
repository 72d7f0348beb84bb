"""Metrics of many resamples at once, for the bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ResampledScores = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def r2_resampled(targets: np.ndarray, predictions: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the coefficient of determination of resamples.

    Args:
        targets: Shape (samples, ...).
        predictions: Shape (samples, ...).
        counts: How often each sample occurs, shape (resamples, samples).

    Returns:
        Shape (resamples,); NaN where the targets of a resample are equal.
    """
    wanted = targets.reshape(len(targets), -1).astype(np.float64)
    wanted = wanted - wanted.mean(axis=0)
    errors = targets.reshape(predictions.shape) - predictions.astype(np.float64)
    rest = counts @ np.sum(errors.reshape(len(targets), -1) ** 2, axis=1)
    means = counts @ wanted / len(targets)
    spread = counts @ np.sum(wanted**2, axis=1) - len(targets) * np.sum(means**2, axis=1)
    return np.where(spread > 0, 1.0 - rest / np.where(spread > 0, spread, 1.0), np.nan)
