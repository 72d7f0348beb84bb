"""Accuracy metrics: one score per output, against labels or against the original model's outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, class_contributions, mean_f1
from tflite_compress.scoring.resampled_scores import CountedScore, ResampledScores, r2_resampled
from tflite_compress.scoring.score_functions import (
    binary_accuracy,
    f1,
    mae,
    mse,
    r2,
    top1,
    top5,
)
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.references import reference_name, resolve_reference

Task = Literal["classification", "binary", "regression"]
ScoreFunction = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Metric:
    """A score of predictions against targets.

    Attributes:
        name: Name in reports.
        function: ``(targets, predictions) -> float``; both arrays have shape (samples, ...).
        higher_is_better: False for errors such as ``mae``.
        compares_values: True if, without labels, the targets are the original's outputs; False if they are
            its decisions.
        is_share: True for a share of samples or decisions, or an error rate, which is shown in %.
        is_mean: True if the score of several samples is the mean of the scores of each.
        resampled: Returns a function that scores resamples at once, ``(targets, predictions) -> (counts ->
            scores)``; counts have the shape (resamples, samples) and say how often a sample occurs. None
            calls ``function`` for each resample.
        needs_labels: True if the original's outputs cannot stand for labels.
        unit: What a value counts, for example ``share`` or ``target`` for the unit of the targets.
        lowest, highest: Range of values; None where it has no end.
        meaning: What it measures, in a few words.
    """

    name: str
    function: ScoreFunction
    higher_is_better: bool = True
    compares_values: bool = False
    is_share: bool = False
    is_mean: bool = False
    resampled: ResampledScores | None = None
    needs_labels: bool = False
    unit: Literal["share", "target", "squared target", "edits per label"] = "share"
    lowest: float | None = 0.0
    highest: float | None = 1.0
    meaning: str = ""

    def __post_init__(self) -> None:
        if self.resampled is None and isinstance(self.function, CountedScore):
            object.__setattr__(self, "resampled", self.function.resampled)

    @property
    def has_points(self) -> bool:
        """True if drops are points, which scores and error rates have; False for errors with a unit."""
        return self.higher_is_better or self.is_share

    def drop(self, before: float, after: float) -> float:
        """Return how much worse ``after`` is than ``before``.

        For scores and error rates this is the difference (0.01 is one point), for other errors the relative
        increase.
        """
        worse = before - after if self.higher_is_better else after - before
        return worse if self.has_points else worse / max(abs(before), 1e-12)

    def drop_in_words(self, drop: float) -> str:
        """Return an accuracy drop with its unit: ``1.23 points``, for errors ``12.3 % more``."""
        figure = f"{100 * drop:.3g}"
        if not self.has_points:
            return f"{figure} % more"
        return f"{figure} point" if figure == "1" else f"{figure} points"


@dataclass(frozen=True)
class Head:
    """The meaning of one output.

    Attributes:
        task: Classification over the last axis, independent binary values, or regression.
        from_logits: True if the output is before softmax or sigmoid.
    """

    task: Task
    from_logits: bool


METRICS: dict[str, Metric] = {
    "top1": Metric(
        "top1", top1, is_share=True, is_mean=True, meaning="share of samples whose largest entry is the class"
    ),
    "top5": Metric(
        "top5",
        top5,
        is_share=True,
        is_mean=True,
        meaning="share with the class among the five largest entries",
    ),
    "binary_accuracy": Metric(
        "binary_accuracy",
        binary_accuracy,
        is_share=True,
        is_mean=True,
        meaning="share of right yes-or-no decisions",
    ),
    "f1": Metric("f1", f1, meaning="F1 score of the rarer decision"),
    "macro_f1": Metric(
        "macro_f1", AdditiveScore(class_contributions, mean_f1), meaning="mean of the F1 score of each class"
    ),
    "r2": Metric(
        "r2",
        r2,
        compares_values=True,
        resampled=r2_resampled,
        lowest=None,
        meaning="coefficient of determination",
    ),
    "mae": Metric(
        "mae",
        mae,
        higher_is_better=False,
        compares_values=True,
        is_mean=True,
        unit="target",
        highest=None,
        meaning="mean absolute error",
    ),
    "mse": Metric(
        "mse",
        mse,
        higher_is_better=False,
        compares_values=True,
        is_mean=True,
        unit="squared target",
        highest=None,
        meaning="mean squared error",
    ),
}


def resolve_metric(metric: str | ScoreFunction) -> Metric:
    """Return a user's metric.

    Args:
        metric: The name of a built-in metric, or a function ``(targets, predictions) -> float`` as a callable
            or as ``module:function``. Lower values are better if the function has the attribute
            ``lower_is_better = True``.

    Raises:
        UsageError: There is no such metric.
    """
    if isinstance(metric, str) and metric in METRICS:
        return METRICS[metric]
    if isinstance(metric, str) and ":" not in metric:
        raise UsageError(f"--metric={metric}: unknown", "Use a metric of a task, or module:function.")
    function: ScoreFunction = resolve_reference(metric, "--metric") if isinstance(metric, str) else metric
    return Metric(reference_name(metric), function, not getattr(function, "lower_is_better", False))


def infer_head(output: np.ndarray, labels: np.ndarray | None, loss: str | None) -> Head:
    """Infer the meaning of an output from the compiled loss, the labels, and its values.

    Args:
        output: The original model's output on some samples, shape (samples, ...).
        labels: Labels for the same output, or None.
        loss: Name of the loss the model was compiled with, or None.
    """
    values = output.astype(np.float64)
    in_unit = bool(values.min(initial=0) >= -1e-6 and values.max(initial=0) <= 1 + 1e-6)
    several = output.ndim > 1 and output.shape[-1] > 1
    sums_to_one = several and in_unit and bool(np.allclose(values.sum(axis=-1), 1, atol=1e-3))
    loss = (loss or "").lower()
    if "crossentropy" in loss or "hinge" in loss:
        if "binary" in loss and not sums_to_one:
            return Head("binary", not in_unit)
        return Head("classification", not sums_to_one)
    class_numbers = labels is not None and several and labels.ndim == output.ndim - 1
    of_values = any(word in loss for word in ("squared", "absolute", "mse", "mae", "huber", "log_cosh"))
    if of_values and not class_numbers:  # a class number has no distance to several outputs
        return Head("regression", False)
    if sums_to_one:
        return Head("classification", False)
    yes_no = labels is None or bool(np.all((labels == 0) | (labels == 1)))
    of_classes = labels is not None and several and yes_no and labels.ndim == output.ndim
    if class_numbers or (labels is not None and of_classes and np.all(labels.sum(axis=-1) == 1)):
        return Head("classification", True)
    if in_unit and yes_no and values.std() > 0:
        return Head("binary", False)
    return Head("regression", False)


def decide(head: Head, outputs: np.ndarray) -> np.ndarray:
    """Return the decisions of a model's outputs, which are the targets if there are no labels.

    Args:
        head: The meaning of the output.
        outputs: Shape (samples, ...).

    Returns:
        Class numbers, 0 or 1, or the outputs themselves for regression.
    """
    if head.task == "binary":
        return (outputs >= (0.0 if head.from_logits else 0.5)).astype(np.int64)
    return outputs.argmax(axis=-1) if head.task == "classification" else outputs


def apply_metric(metric: Metric, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Score one output.

    Args:
        metric: The metric.
        targets: Shape (samples, ...).
        predictions: Shape (samples, ...).

    Raises:
        DataError: The metric raised, or did not return a finite number.
    """
    try:
        value = float(metric.function(targets, predictions))
    except Exception as error:
        raise DataError(
            f"metric {metric.name} failed on targets {targets.shape} and predictions {predictions.shape}: "
            f"{error}",
            "Choose another metric.",
        ) from error
    if not np.isfinite(value):
        raise DataError(f"metric {metric.name} returned {value}", "Choose another metric.")
    return value
