"""The metric that an output is scored by if none is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_compress.scoring.metrics import METRICS, Head, Metric
from tflite_compress.scoring.score_functions import (
    binary_accuracy,
    binary_accuracy_from_logits,
    closeness,
    f1,
    f1_from_logits,
    int8_step,
)

RARE_SHARE = 0.1  # of decisions; a rarer decision is hidden by counting equal ones
MIN_RARE = 20  # rare decisions that F1 needs to be more than noise

CLOSENESS = Metric(
    "closeness",
    closeness,
    compares_values=True,
    lowest=None,
    meaning="1 minus the root mean square error as a share of the largest value",
)


def hardly_varies(outputs: np.ndarray) -> bool:
    """Return True if outputs are constant to within a step of an int8 output.

    R2 then says nothing about agreement: the exact rounding to int8 may be as large as the variation.

    Args:
        outputs: Shape (samples, ...).
    """
    values = outputs.astype(np.float64)
    return bool(np.sqrt(np.mean((values - values.mean(axis=0)) ** 2)) < int8_step(values))


def default_metric(head: Head) -> Metric:
    """Return the default metric of an output's task."""
    if head.task == "classification":
        return METRICS["top1"]
    if head.task == "binary":
        function = binary_accuracy_from_logits if head.from_logits else binary_accuracy
        return replace(METRICS["binary_accuracy"], function=function)
    return METRICS["r2"]


def fitting_metric(head: Head, targets: np.ndarray, is_labelled: bool) -> Metric:
    """Return the default metric of an output, one that sees rare decisions where one decision dominates.

    Counting equal decisions hides a broken output of which nearly all decisions are the same, for example a
    map with few positions set.

    Args:
        head: The meaning of the output.
        targets: Labels, or the original's decisions; shape (samples, ...).
        is_labelled: True for labels.

    Returns:
        F1 for rare decisions of which there are enough, without labels the agreement of the values of a map,
        else :func:`default_metric`.
    """
    usual = default_metric(head)
    if head.task == "regression":
        return usual
    decided = targets >= 0.5 if head.task == "binary" else targets
    if head.task == "classification" and targets.dtype.kind == "f":
        decided = targets.argmax(axis=-1)  # one-hot or soft
    _, counts = np.unique(decided, return_counts=True)
    is_map = decided.ndim > 1 and decided[0].size > 1
    rare = int(decided.size - counts.max(initial=0))
    if rare > RARE_SHARE * decided.size:
        return usual
    if head.task == "binary" and is_map and not is_labelled:
        return METRICS["r2"]
    if rare < MIN_RARE or (head.task == "classification" and not is_map):
        return usual
    if head.task == "classification":
        return METRICS["macro_f1"]
    return Metric("f1", f1_from_logits if head.from_logits else f1)
