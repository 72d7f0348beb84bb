"""Which classes change: confusion matrices of the original and of the result, where outputs are classes."""

from __future__ import annotations

import numpy as np

from tflite_compress.reporting.detail_figures import ClassFigures
from tflite_compress.scoring.reference import Outputs, Reference

MAX_CLASSES = 25  # a larger matrix cannot be read on a page


def class_figures(reference: Reference, outputs: Outputs) -> ClassFigures | None:
    """Count predictions of each class by the original and by the result, on the evaluation samples.

    Args:
        reference: The original model on the data.
        outputs: The result's outputs on the same samples.

    Returns:
        The counts; None where outputs are no classes, where there are over 25, or without labels.
    """
    before, after = reference.evaluation_outputs[0], outputs[0]
    is_classes = reference.heads[0].task == "classification" and before.ndim == 2
    if not is_classes or not reference.labelled or not 2 <= before.shape[1] <= MAX_CLASSES:
        return None
    labels = np.asarray(reference.targets[0])
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(-1)
    names = reference.splits.evaluate.class_names
    classes = before.shape[1]
    return ClassFigures(
        names=names if len(names) == classes else tuple(map(str, range(classes))),
        before=count_pairs(labels.reshape(-1), before.argmax(-1), classes),
        after=count_pairs(labels.reshape(-1), after.argmax(-1), classes),
    )


def count_pairs(labels: np.ndarray, found: np.ndarray, classes: int) -> tuple[tuple[int, ...], ...]:
    """Return a confusion matrix: one row per label, one column per predicted class.

    Args:
        labels: Class numbers, shape (samples,).
        found: Predicted class numbers, shape (samples,).
        classes: Number of classes.
    """
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels.astype(int), found), 1)
    return tuple(tuple(int(count) for count in row) for row in counts)
