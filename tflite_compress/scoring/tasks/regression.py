"""Regression: numbers with a distance to their targets."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, ratio
from tflite_compress.scoring.metrics import METRICS, Head, Metric
from tflite_compress.scoring.task_types import OutputSample, Task, register


def _squared(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    errors = targets.reshape(predictions.shape).astype(np.float64) - predictions
    each = errors.reshape(len(errors), -1)
    return np.stack([np.sum(each**2, axis=1), np.full(len(each), each.shape[1], np.float64)], axis=1)


RMSE = Metric(
    "rmse",
    AdditiveScore(_squared, lambda sums: np.sqrt(ratio(sums[..., 0], sums[..., 1]))),
    higher_is_better=False,
    compares_values=True,
    unit="target",
    highest=None,
    meaning="root of the mean squared error",
)


def _fits(sample: OutputSample) -> bool:
    return sample.labels is None or sample.labels.size == sample.output.size


TASK = register(
    Task(
        "regression",
        "numbers",
        "an output and labels with as many values",
        lambda head: (METRICS["r2"], METRICS["mae"], RMSE, METRICS["mse"]),
        lambda sample: Head("regression", False),
        _fits,
    )
)
