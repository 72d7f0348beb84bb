"""What a task is: the meaning of an output, its metrics, and which outputs and labels fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.joint_output import JointOutput, ModelSample
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.support.errors import DataError

REGISTERED: dict[str, Task] = {}
CLASSES_LOSS = "cross-entropy with the original's probabilities"
YES_NO_LOSS = "binary cross-entropy with the original's probabilities"
VALUES_LOSS = "mean squared error to the original's outputs"


@dataclass(frozen=True, eq=False)
class OutputSample:
    """One output of the original model on some samples.

    Attributes:
        output: Shape (samples, ...).
        labels: Labels of the output, shape (samples, ...), or None.
        inputs: The first input, shape (samples, ...).
        head: The meaning that is inferred from values, labels and loss.
    """

    output: np.ndarray
    labels: np.ndarray | None
    inputs: np.ndarray
    head: Head

    @property
    def shapes(self) -> str:
        """The shapes, for messages."""
        labels = "no labels" if self.labels is None else f"labels of shape {self.labels.shape}"
        return f"an output of shape {self.output.shape} and {labels}"


def are_probabilities(output: np.ndarray) -> bool:
    """Return whether values are shares of 1; those of a quantized file are so within a few steps."""
    sums = output.sum(axis=-1, dtype=np.float64)
    return bool(output.min(initial=0) >= 0 and np.allclose(sums, 1, atol=0.05))


def _as_given(labels: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    return labels


def _never(sample: OutputSample) -> bool:
    return False


@dataclass(frozen=True)
class Task:
    """A kind of output with its metrics.

    Attributes:
        name: Name for ``--task``; hyphens join its words.
        summary: What the output is, in a few words.
        takes: The shapes of outputs and labels that fit, for messages.
        metrics: Metrics by a head; the first is the default.
        head: The meaning of an output, which decides the distillation loss.
        fits: True if an output and its labels have the shapes of the task.
        is_inferred: True if an output and its labels can only mean this task.
        make_targets: What the metrics compare with, ``(labels, inputs) -> targets``.
        loss: What the distillation loss of trained passes is, in words.
        joint: Returns what all outputs of a model are together, for a task that scores them together; None
            for a task of single outputs.
        trains_on_labels: True if labels can be blended into training targets; False if they say nothing
            about single outputs.
    """

    name: str
    summary: str
    takes: str
    metrics: Callable[[Head], tuple[Metric, ...]]
    head: Callable[[OutputSample], Head]
    fits: Callable[[OutputSample], bool]
    is_inferred: Callable[[OutputSample], bool] = _never
    make_targets: Callable[[np.ndarray, np.ndarray], np.ndarray] = _as_given
    loss: str = VALUES_LOSS
    trains_on_labels: bool = True
    joint: Callable[[ModelSample], JointOutput] | None = None

    def checked_head(self, sample: OutputSample) -> Head:
        """Return the meaning of an output.

        Raises:
            DataError: The shapes of output and labels do not fit the task.
        """
        if not self.fits(sample):
            raise DataError(
                f"--task={self.name} does not fit {sample.shapes}",
                f"It takes {self.takes}. Leave --task out to infer it.",
            )
        return self.head(sample)


def register(task: Task) -> Task:
    """Make a task known by its name, and return it."""
    REGISTERED[task.name] = task
    return task
