"""Measure the accuracy of a ``.tflite`` on labelled data, without the original model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tflite_compress.data.raw import FileData
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult
from tflite_compress.scoring.choose_task import choose_joint, choose_meaning, joint_task, tasks_of_outputs
from tflite_compress.scoring.drop_evidence import score_interval
from tflite_compress.scoring.joint_output import NO_HEAD, HeadOptions, ModelSample
from tflite_compress.scoring.metrics import Metric, ScoreFunction, apply_metric, infer_head
from tflite_compress.scoring.task_types import OutputSample, Task
from tflite_compress.support.errors import DataError
from tflite_compress.tflite.tensor_specs import Signature


class MeasuredAccuracy(NamedTuple):
    """A file's score.

    Attributes:
        measurement: The metric with its interval.
        higher_is_better: False for errors such as ``mae``.
        is_share: True for a share of samples or decisions, or an error rate, which is shown in %.
    """

    measurement: Measurement
    higher_is_better: bool
    is_share: bool = False


def measure_accuracy(
    result: RunResult,
    data: FileData,
    signature: Signature,
    metric: str | ScoreFunction | None = None,
    task: str | None = None,
    head: HeadOptions = NO_HEAD,
) -> MeasuredAccuracy:
    """Score a runtime's outputs against labels.

    Args:
        result: A runtime's outputs for ``data``.
        data: Inputs and labels.
        signature: The file's inputs and outputs.
        metric: Name of a metric, or a function, also as ``module:function``; inferred by default.
        task: Name of the task, or one for each output separated by commas; None infers it.
        head: How the outputs of a detector are read.

    Returns:
        The metric of the worst output, or of all outputs together, with its 95 % interval as range
        if the samples suffice for one.

    Raises:
        DataError: The data have no labels, or the metric does not fit.
    """
    if data.labels is None or result.outputs is None:
        raise DataError(f"{data.origin}: has no labels to check accuracy with", "Give labels: y in the .npz.")
    pairs = zip(signature.outputs, result.outputs, strict=True)
    outputs = tuple(
        spec.to_real(raw[:, 0] if raw.ndim == len(spec.shape) + 1 else raw) for spec, raw in pairs
    )
    together = joint_task(task, metric, data.has_boxes)
    if together is not None:
        sample = ModelSample(outputs, data.labels[0], data.real[0], head)
        joint, one = choose_joint(together, sample, metric)
        labels, combined = data.labels[0], joint.combine(outputs)
        found = [_Scored(apply_metric(one, labels, combined), one, joint.name, labels, combined)]
    else:
        found = _score_outputs(outputs, data, signature, metric, tasks_of_outputs(task, len(outputs)))
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
    return MeasuredAccuracy(measurement, worst.metric.higher_is_better, worst.metric.is_share)


class _Scored(NamedTuple):
    """One output with its score, its targets and its predictions as real numbers."""

    value: float
    metric: Metric
    output: str
    targets: np.ndarray
    predictions: np.ndarray


def _score_outputs(
    outputs: Arrays,
    data: FileData,
    signature: Signature,
    metric: str | ScoreFunction | None,
    tasks: tuple[Task | None, ...],
) -> list[_Scored]:
    """Score each output by itself."""
    assert data.labels is not None
    found: list[_Scored] = []
    for spec, real, target, named in zip(signature.outputs, outputs, data.labels, tasks, strict=True):
        head = infer_head(real, target, _loss_of(real, target))
        meaning = choose_meaning(OutputSample(real, target, data.real[0], head), named, metric)
        task, chosen = meaning.task, meaning.metric
        wanted = target if task is None else task.make_targets(target, data.real[0])
        found.append(_Scored(apply_metric(chosen, wanted, real), chosen, spec.name, wanted, real))
    return found


def _loss_of(real: np.ndarray, target: np.ndarray) -> str | None:
    """Return the loss for class numbers as labels: quantized probabilities do not sum to exactly 1."""
    several = real.ndim > 1 and real.shape[-1] > 1
    return "categorical_crossentropy" if several and target.ndim == real.ndim - 1 else None
