"""Measure the accuracy of a ``.tflite`` on labelled data, without the original model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tflite_compress.data.raw import FileData
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.scoring.choose_task import choose_meaning
from tflite_compress.scoring.drop_evidence import score_interval
from tflite_compress.scoring.metrics import Metric, ScoreFunction, apply_metric, infer_head
from tflite_compress.scoring.task_types import OutputSample
from tflite_compress.support.errors import DataError
from tflite_compress.tflite.tensor_specs import Signature


class MeasuredAccuracy(NamedTuple):
    """A file's score.

    Attributes:
        measurement: The metric with its interval.
        higher_is_better: False for errors such as ``mae``.
    """

    measurement: Measurement
    higher_is_better: bool


def measure_accuracy(
    result: RunResult, data: FileData, signature: Signature, metric: str | ScoreFunction | None = None
) -> MeasuredAccuracy:
    """Score a runtime's outputs against labels.

    Args:
        result: A runtime's outputs for ``data``.
        data: Inputs and labels.
        signature: The file's inputs and outputs.
        metric: Name of a metric, or a function, also as ``module:function``; inferred by default.

    Returns:
        The metric of the worst output, with its 95 % interval as range if the samples suffice for one.

    Raises:
        DataError: The data have no labels, or the metric does not fit.
    """
    if data.labels is None or result.outputs is None:
        raise DataError(f"{data.origin}: has no labels to check accuracy with", "Give labels: y in the .npz.")
    found: list[_Scored] = []
    for spec, raw, target in zip(signature.outputs, result.outputs, data.labels, strict=True):
        real = spec.to_real(raw[:, 0] if raw.ndim == len(spec.shape) + 1 else raw)
        head = infer_head(real, target, _loss_of(real, target))
        meaning = choose_meaning(OutputSample(real, target, data.real[0], head), None, metric)
        task, chosen = meaning.task, meaning.metric
        wanted = target if task is None else task.make_targets(target, data.real[0])
        found.append(_Scored(apply_metric(chosen, wanted, real), chosen, spec.name, wanted, real))
    worst = min(found, key=lambda one: one.value if one.metric.higher_is_better else -one.value)
    how = f"{len(data)} samples of {data.origin}, {result.runtime}"
    if len(found) > 1:
        how = f"output '{worst.output}', the worst of {len(found)}; {how}"
    interval = score_interval(worst.metric, worst.targets, worst.predictions)
    name = worst.metric.name
    if interval is None:
        measurement = Measurement("accuracy", worst.value, name, "measured", how)
    else:
        how = f"{how}; 95 % interval"
        measurement = Measurement("accuracy", worst.value, name, "measured", how, interval.low, interval.high)
    return MeasuredAccuracy(measurement, worst.metric.higher_is_better)


class _Scored(NamedTuple):
    """One output with its score, its targets and its predictions as real numbers."""

    value: float
    metric: Metric
    output: str
    targets: np.ndarray
    predictions: np.ndarray


def _loss_of(real: np.ndarray, target: np.ndarray) -> str | None:
    """Return the loss for class numbers as labels: quantized probabilities do not sum to exactly 1."""
    several = real.ndim > 1 and real.shape[-1] > 1
    return "categorical_crossentropy" if several and target.ndim == real.ndim - 1 else None
