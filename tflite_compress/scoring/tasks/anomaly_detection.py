"""Anomaly detection: samples that an autoencoder reconstructs badly, or a score of each sample."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.curve_scores import area_under_roc
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.scoring.task_types import OutputSample, Task, register

MAX_FPR = 0.1  # of MLPerf Tiny's partial area


def anomaly_scores(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each reconstruction, or the output where it is a single score.

    Args:
        targets: 1 for anomalies and 0 for others, followed by the values to reconstruct; shape
            (samples, 1 + values).
        predictions: Shape (samples, ...).
    """
    found = predictions.reshape(len(predictions), -1).astype(np.float64)
    if found.shape[1] == 1:
        return found[:, 0]
    return np.asarray(np.mean((found - targets[:, 1:]) ** 2, axis=1))


def auc(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the area under the ROC curve of :func:`anomaly_scores`."""
    return area_under_roc(targets[:, 0] >= 0.5, anomaly_scores(targets, predictions))


def pauc(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the standardized area under the ROC curve up to a false positive rate of 0.1."""
    return area_under_roc(targets[:, 0] >= 0.5, anomaly_scores(targets, predictions), MAX_FPR)


def _targets(labels: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    values = inputs.reshape(len(inputs), -1).astype(np.float64)
    return np.concatenate([labels.reshape(len(labels), -1)[:, :1], values], axis=1)


def _fits(sample: OutputSample) -> bool:
    count = len(sample.output)
    is_score = sample.output.size == count
    labels = sample.labels
    if not is_score and sample.output.shape != sample.inputs.shape:
        return False
    return labels is None or (labels.size == count and bool(np.all((labels == 0) | (labels == 1))))


def _is_inferred(sample: OutputSample) -> bool:
    """Return whether the output is a reconstruction and labels are one yes or no for each sample."""
    labels, output = sample.labels, sample.output
    if labels is None or output.size == len(output) or output.shape != sample.inputs.shape:
        return False
    is_loss_of_classes = sample.head.task == "classification" and not sample.head.from_logits
    return not is_loss_of_classes and _fits(sample)


TASK = register(
    Task(
        "anomaly-detection",
        "a reconstruction of the input, or a score of each sample",
        "an output of the shape of the input, or one score for each sample, and labels (samples,) that are "
        "1 for anomalies and 0 for others",
        lambda head: (
            Metric("auc", auc, needs_labels=True, meaning="area under the ROC curve"),
            Metric(
                "pauc",
                pauc,
                needs_labels=True,
                meaning="the area up to a false positive rate of 0.1, as in MLPerf Tiny",
            ),
        ),
        lambda sample: Head("regression", False),
        _fits,
        _is_inferred,
        _targets,
        trains_on_labels=False,
    )
)
