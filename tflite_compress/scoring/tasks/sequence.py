"""Sequence: labels such as characters, read from classes at each step."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, class_numbers, ratio
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.scoring.task_types import CLASSES_LOSS, OutputSample, Task, are_probabilities, register


def edit_distance(first: list[int], second: list[int]) -> int:
    """Return how many labels to insert, remove or replace to make the sequences equal (Levenshtein, 1966)."""
    row = list(range(len(second) + 1))
    for number, wanted in enumerate(first, 1):
        diagonal, row[0] = row[0], number
        for place, found in enumerate(second, 1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (wanted != found)),
            )
    return row[-1]


def read_best(steps: list[int], blank: int) -> list[int]:
    """Return the labels of the best class at each step: repeats count once, blanks not at all (CTC)."""
    return [label for label, _ in groupby(steps) if label != blank]


def _edits(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return the edits and labels of each sample, and whether any label is wrong."""
    blank = predictions.shape[-1] - 1
    wanted_steps = class_numbers(targets, predictions.ndim)
    are_steps = targets.ndim == predictions.ndim
    rows = []
    for target, steps in zip(wanted_steps.tolist(), predictions.argmax(axis=-1).tolist(), strict=True):
        wanted = read_best(target, blank) if are_steps else [label for label in target if label != blank]
        edits = edit_distance(wanted, read_best(steps, blank))
        rows.append((edits, len(wanted), edits == 0, 1))
    return np.array(rows, np.float64)


def _fits(sample: OutputSample) -> bool:
    output, labels = sample.output, sample.labels
    return output.ndim == 3 and output.shape[-1] > 1 and (labels is None or labels.ndim in (2, 3))


def _is_inferred(sample: OutputSample) -> bool:
    """Return whether labels are shorter or longer than the steps of the output."""
    labels = sample.labels
    return (
        labels is not None and _fits(sample) and labels.ndim == 2 and labels.shape != sample.output.shape[:2]
    )


def _head(sample: OutputSample) -> Head:
    return Head("classification", not are_probabilities(sample.output))


TASK = register(
    Task(
        "sequence",
        "labels read from classes at each step (CTC)",
        "an output of shape (samples, steps, classes), of which the last class is the blank, and labels "
        "(samples, length) that are filled up with the blank",
        lambda head: (
            Metric(
                "label_error_rate",
                AdditiveScore(_edits, lambda sums: ratio(sums[..., 0], sums[..., 1])),
                higher_is_better=False,
                is_share=True,
                needs_labels=True,
                unit="edits per label",
                highest=None,
                meaning="edits by labels; for characters the character error rate",
            ),
            Metric(
                "sequence_accuracy",
                AdditiveScore(_edits, lambda sums: ratio(sums[..., 2], sums[..., 3])),
                is_share=True,
                needs_labels=True,
                meaning="share of sequences without an error",
            ),
        ),
        _head,
        _fits,
        _is_inferred,
        trains_on_labels=False,
        loss=CLASSES_LOSS,
    )
)
