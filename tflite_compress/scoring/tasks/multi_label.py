"""Multi-label: a yes or no for each of one or more labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, mean_f1
from tflite_compress.scoring.curve_scores import average_precision
from tflite_compress.scoring.default_metric import default_metric
from tflite_compress.scoring.metrics import METRICS, Head, Metric
from tflite_compress.scoring.score_functions import f1_from_logits
from tflite_compress.scoring.task_types import YES_NO_LOSS, OutputSample, Task, register


def mean_average_precision(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the mean over the labels of the average precision; labels without a positive do not count.

    Args:
        targets: 0 or 1, shape (samples, labels).
        predictions: Probabilities or logits, shape (samples, labels).
    """
    wanted = targets.reshape(predictions.shape) >= 0.5
    columns = zip(_columns(wanted).T, _columns(predictions).T, strict=True)
    scores = np.array([average_precision(y, p) for y, p in columns if y.any()])
    return float(scores.mean()) if len(scores) else float("nan")


def _columns(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, np.newaxis]


def _label_f1(threshold: float) -> AdditiveScore:
    def contributions(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        wanted = targets.reshape(predictions.shape) >= 0.5
        found = predictions >= threshold
        parts = [wanted & found, wanted, found]
        # What a sample adds to each label: its hits, wanted and found ones, over all positions of a map.
        each = [p.reshape(len(p), -1, p.shape[-1] if p.ndim > 1 else 1).sum(axis=1) for p in parts]
        return np.concatenate(each, axis=1).astype(np.float64)

    return AdditiveScore(contributions, mean_f1)


def _metrics(head: Head) -> tuple[Metric, ...]:
    usual = default_metric(Head("binary", head.from_logits))
    rare = replace(METRICS["f1"], function=f1_from_logits) if head.from_logits else METRICS["f1"]
    return (
        Metric("map", mean_average_precision, meaning="mean of the average precision of each label"),
        Metric(
            "label_f1",
            _label_f1(0.0 if head.from_logits else 0.5),
            meaning="mean of the F1 score of each label",
        ),
        usual,
        rare,
    )


def _fits(sample: OutputSample) -> bool:
    output, labels = sample.output, sample.labels
    if labels is None:
        return True
    return labels.size == output.size and bool(np.all((labels >= 0) & (labels <= 1)))


def _head(sample: OutputSample) -> Head:
    in_unit = sample.output.min(initial=0) >= 0 and sample.output.max(initial=0) <= 1
    return Head("binary", not in_unit)


TASK = register(
    Task(
        "multi-label",
        "a yes or no for each label",
        "an output of shape (samples, labels) and labels of the same shape with values 0 to 1",
        _metrics,
        _head,
        _fits,
        loss=YES_NO_LOSS,
    )
)
