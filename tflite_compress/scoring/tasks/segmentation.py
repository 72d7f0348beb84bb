"""Segmentation: a class for each pixel, or a yes or no."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import (
    AdditiveScore,
    Contributions,
    class_counts,
    class_numbers,
    mean_where,
    of_class_counts,
    ratio,
)
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.scoring.task_types import (
    CLASSES_LOSS,
    YES_NO_LOSS,
    OutputSample,
    Task,
    are_probabilities,
    register,
)


def _counts_of(threshold: float) -> Contributions:
    """Return the counts of the classes of pixels; a single channel has the classes no and yes."""

    def contributions(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        if predictions.shape[-1] > 1:
            wanted = class_numbers(targets, predictions.ndim)
            return class_counts(wanted, predictions.argmax(axis=-1), predictions.shape[-1])
        wanted = targets.reshape(predictions.shape)
        numbers = np.where(wanted < 0, -1, wanted >= 0.5).astype(np.int64)
        return class_counts(numbers, (predictions >= threshold).astype(np.int64), 2)

    return contributions


def _mean_iou(sums: np.ndarray) -> np.ndarray:
    hits, wanted, found = of_class_counts(sums)
    union = wanted + found - hits
    return mean_where(ratio(hits, union), union > 0)


def _dice(sums: np.ndarray) -> np.ndarray:
    hits, wanted, found = of_class_counts(sums)
    return mean_where(ratio(2 * hits, wanted + found), wanted + found > 0)


def _accuracy(sums: np.ndarray) -> np.ndarray:
    hits, wanted, _ = of_class_counts(sums)
    return ratio(hits.sum(axis=-1), wanted.sum(axis=-1))


def _metrics(head: Head) -> tuple[Metric, ...]:
    contributions = _counts_of(0.0 if head.from_logits else 0.5)

    return (
        Metric(
            "mean_iou",
            AdditiveScore(contributions, _mean_iou),
            meaning="mean over the classes of intersection by union",
        ),
        Metric(
            "dice",
            AdditiveScore(contributions, _dice),
            meaning="mean over the classes of the Dice coefficient",
        ),
        Metric(
            "pixel_accuracy",
            AdditiveScore(contributions, _accuracy),
            is_share=True,
            meaning="share of pixels with the right class",
        ),
    )


def _is_map(sample: OutputSample) -> bool:
    return sample.output.ndim == 4 and min(sample.output.shape[1:3]) > 1


def _fits(sample: OutputSample) -> bool:
    output, labels = sample.output, sample.labels
    return _is_map(sample) and (labels is None or labels.shape in (output.shape, output.shape[:-1]))


def _head(sample: OutputSample) -> Head:
    values = sample.output
    in_unit = bool(values.min(initial=0) >= 0 and values.max(initial=0) <= 1)
    if values.shape[-1] == 1:
        return Head("binary", not in_unit)
    return Head("classification", not (in_unit and are_probabilities(values)))


def _is_inferred(sample: OutputSample) -> bool:
    """Return whether labels are class numbers of the pixels."""
    return (
        _fits(sample)
        and sample.labels is not None
        and sample.labels.shape == sample.output.shape[:-1]
        and (sample.labels.dtype.kind in "iub" and sample.output.shape[-1] > 1)
    )


TASK = register(
    Task(
        "segmentation",
        "a class for each pixel",
        "an output of shape (samples, height, width, classes) and class numbers (samples, height, width) or "
        "one-hot pixels",
        _metrics,
        _head,
        _fits,
        _is_inferred,
        loss=f"{CLASSES_LOSS}; {YES_NO_LOSS} for one channel",
    )
)
