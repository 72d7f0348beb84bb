"""Classification: one of several classes for each sample."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import (
    AdditiveScore,
    class_contributions,
    mean_where,
    of_class_counts,
    ratio,
)
from tflite_compress.scoring.metrics import METRICS, Head, Metric
from tflite_compress.scoring.task_types import CLASSES_LOSS, OutputSample, Task, are_probabilities, register


def _balanced(sums: np.ndarray) -> np.ndarray:
    hits, wanted, _ = of_class_counts(sums)
    return mean_where(ratio(hits, wanted), wanted > 0)


def _worst(sums: np.ndarray) -> np.ndarray:
    hits, wanted, _ = of_class_counts(sums)
    return np.asarray(np.where(wanted > 0, ratio(hits, wanted), 1.0).min(axis=-1))


BALANCED = Metric(
    "balanced_accuracy",
    AdditiveScore(class_contributions, _balanced),
    meaning="mean of the accuracy of each class",
)
WORST_CLASS = Metric(
    "worst_class_accuracy",
    AdditiveScore(class_contributions, _worst),
    meaning="accuracy of the class with the lowest one",
)


def _fits(sample: OutputSample) -> bool:
    output, labels = sample.output, sample.labels
    if output.ndim < 2 or output.shape[-1] < 2:
        return False
    return labels is None or labels.shape in (output.shape, output.shape[:-1])


def _head(sample: OutputSample) -> Head:
    return Head("classification", not are_probabilities(sample.output))


TASK = register(
    Task(
        "classification",
        "one of several classes",
        "an output of shape (samples, ..., classes) and class numbers (samples, ...) or one-hot rows",
        lambda head: (METRICS["top1"], METRICS["top5"], BALANCED, METRICS["macro_f1"], WORST_CLASS),
        _head,
        _fits,
        loss=CLASSES_LOSS,
    )
)
