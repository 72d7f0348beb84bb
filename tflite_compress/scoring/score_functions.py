"""Scores of predictions against targets that need no settings."""

from __future__ import annotations

import numpy as np


def top1(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the fraction of predictions whose largest entry is the target class.

    Args:
        targets: Class numbers, shape (samples, ...), or one-hot or soft targets, (samples, ..., classes).
        predictions: Shape (samples, ..., classes).
    """
    wanted = targets.argmax(axis=-1) if targets.ndim == predictions.ndim else targets
    return float(np.mean(predictions.argmax(axis=-1) == wanted))


def top5(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the fraction of predictions with the target class among the five largest entries."""
    wanted = targets.argmax(axis=-1) if targets.ndim == predictions.ndim else targets
    best = np.argsort(predictions, axis=-1)[..., -5:]
    return float(np.mean((best == wanted[..., np.newaxis]).any(axis=-1)))


def binary_accuracy(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the fraction of equal binary decisions; predictions are probabilities with threshold 0.5."""
    return float(np.mean((predictions >= 0.5) == (targets.reshape(predictions.shape) >= 0.5)))


def binary_accuracy_from_logits(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the fraction of equal binary decisions; predictions are logits with threshold 0."""
    return float(np.mean((predictions >= 0) == (targets.reshape(predictions.shape) >= 0.5)))


def r2(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the coefficient of determination: 1 for exact predictions, 0 for the mean of the targets."""
    targets = targets.reshape(predictions.shape).astype(np.float64)
    rest = np.sum((targets - predictions) ** 2)
    spread = np.sum((targets - targets.mean(axis=0)) ** 2)
    return float(1.0 - rest / spread) if spread > 0 else float(rest == 0)


def closeness(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return 1 minus the root mean square error as a share of the largest target; 1 for exact predictions."""
    targets = targets.reshape(predictions.shape).astype(np.float64)
    error = float(np.sqrt(np.mean((targets - predictions) ** 2)))
    largest = float(np.max(np.abs(targets)))
    return 1.0 - error / largest if largest > 0 else float(error == 0)


def int8_step(values: np.ndarray) -> float:
    """Return the step between two values of an int8 tensor that holds these values and 0."""
    return (max(0.0, float(values.max())) - min(0.0, float(values.min()))) / 255


def mae(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(targets.reshape(predictions.shape) - predictions)))


def mse(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the mean squared error."""
    return float(np.mean((targets.reshape(predictions.shape) - predictions) ** 2))


def f1(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the F1 score of the rarer of two decisions; predictions are probabilities with threshold 0.5."""
    return _f1(targets, predictions >= 0.5)


def f1_from_logits(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the F1 score of the rarer of two decisions; predictions are logits with threshold 0."""
    return _f1(targets, predictions >= 0)


def _f1(targets: np.ndarray, found: np.ndarray) -> float:
    """Return twice the hits by the sum of wanted and found; 1 if there are neither."""
    wanted = targets.reshape(found.shape) >= 0.5
    if np.mean(wanted) > 0.5:
        wanted, found = ~wanted, ~found
    total = int(np.sum(wanted)) + int(np.sum(found))
    return 2 * int(np.sum(wanted & found)) / total if total else 1.0
