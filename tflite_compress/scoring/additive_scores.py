"""Scores that are computed from sums over the samples, so that any subset or resample of them is cheap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.resampled_scores import ScoresOfCounts

Contributions = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (targets, predictions) -> (samples, values)
Combine = Callable[[np.ndarray], np.ndarray]  # sums of contributions, (..., values) -> scores, (...)


@dataclass(frozen=True)
class AdditiveScore:
    """A score of sums over the samples, such as F1 of counts or RMSE of squared errors.

    Attributes:
        contributions: Returns what each sample adds, ``(targets, predictions) -> (samples, values)``.
        combine: Returns scores of sums, ``(..., values) -> (...)``.
    """

    contributions: Contributions
    combine: Combine

    def __call__(self, targets: np.ndarray, predictions: np.ndarray) -> float:
        """Return the score of all samples.

        Args:
            targets: Shape (samples, ...).
            predictions: Shape (samples, ...).
        """
        return float(self.combine(self.contributions(targets, predictions).sum(axis=0)))

    def resampled(self, targets: np.ndarray, predictions: np.ndarray) -> ScoresOfCounts:
        """Return the function that computes the scores of resamples.

        Args:
            targets: Shape (samples, ...).
            predictions: Shape (samples, ...).

        Returns:
            A function of how often each sample occurs, shape (resamples, samples); zeros and ones choose
            subsets. It returns scores of shape (resamples,).
        """
        each = self.contributions(targets, predictions)
        return lambda counts: self.combine(counts @ each)


def class_numbers(values: np.ndarray, rank: int) -> np.ndarray:
    """Return class numbers, which are the largest entries of one-hot or soft targets.

    Args:
        values: Class numbers, shape (samples, ...), or one value per class, (samples, ..., classes).
        rank: Number of dimensions of values with one entry per class.
    """
    return values.argmax(axis=-1) if values.ndim == rank else values.astype(np.int64)


def class_counts(wanted: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Return how often each class was hit, wanted and found, per sample.

    Args:
        wanted: Class numbers, shape (samples, ...). Negative ones are not counted.
        found: Class numbers of the same shape.
        classes: Number of classes.

    Returns:
        Counts, shape (samples, 3 * classes): hits, then wanted, then found.
    """
    samples = len(wanted)
    wanted, found = wanted.reshape(samples, -1), found.reshape(samples, -1)
    rows = np.broadcast_to(np.arange(samples)[:, np.newaxis] * classes, wanted.shape)
    counted = wanted >= 0

    def count(numbers: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        flat = (rows + numbers)[chosen]
        return np.bincount(flat, minlength=samples * classes).reshape(samples, classes)

    parts = count(wanted, counted & (wanted == found)), count(wanted, counted), count(found, counted)
    return np.concatenate(parts, axis=1).astype(np.float64)


def class_contributions(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return :func:`class_counts` of predictions with one value per class.

    Args:
        targets: Class numbers, shape (samples, ...), or one-hot or soft targets, (samples, ..., classes).
        predictions: Shape (samples, ..., classes).
    """
    wanted = class_numbers(targets, predictions.ndim)
    return class_counts(wanted, predictions.argmax(axis=-1), predictions.shape[-1])


def of_class_counts(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits, wanted and found of each class, shape (..., classes) each, of :func:`class_counts`."""
    hits, wanted, found = np.split(sums, 3, axis=-1)
    return hits, wanted, found


def mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of the entries that count; NaN if none does."""
    number = counted.sum(axis=-1)
    total = np.where(counted, values, 0.0).sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def mean_f1(sums: np.ndarray) -> np.ndarray:
    """Return the mean F1 score of the classes that are wanted, of :func:`class_counts`."""
    hits, wanted, found = of_class_counts(sums)
    return mean_where(ratio(2 * hits, wanted + found), wanted > 0)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return a ratio; 0 where both are 0."""
    return above / np.where(below == 0, 1.0, below)
