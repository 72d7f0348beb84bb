"""Measure the accuracy of a ``.tflite`` on labelled data, without the original model."""

from __future__ import annotations

import numpy as np

from tflite_compress.data.raw import FileData
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.scoring.choose_task import choose_meaning
from tflite_compress.scoring.metrics import Metric, ScoreFunction, apply_metric, infer_head
from tflite_compress.scoring.task_types import OutputSample
from tflite_compress.support.errors import DataError
from tflite_compress.tflite.tensor_specs import Signature


def measure_accuracy(
    result: RunResult, data: FileData, signature: Signature, metric: str | ScoreFunction | None = None
) -> Measurement:
    """Score a runtime's outputs against labels.

    Args:
        result: A runtime's outputs for ``data``.
        data: Inputs and labels.
        signature: The file's inputs and outputs.
        metric: Name of a metric, or a function, also as ``module:function``; inferred by default.

    Returns:
        The metric of the worst output.

    Raises:
        DataError: The data have no labels, or the metric does not fit.
    """
    if data.labels is None or result.outputs is None:
        raise DataError(f"{data.origin}: has no labels to check accuracy with", "Give labels: y in the .npz.")
    found: list[tuple[float, Metric, str]] = []
    for spec, raw, target in zip(signature.outputs, result.outputs, data.labels, strict=True):
        real = spec.to_real(raw[:, 0] if raw.ndim == len(spec.shape) + 1 else raw)
        head = infer_head(real, target, _loss_of(real, target))
        meaning = choose_meaning(OutputSample(real, target, data.real[0], head), None, metric)
        task, chosen = meaning.task, meaning.metric
        wanted = target if task is None else task.make_targets(target, data.real[0])
        found.append((apply_metric(chosen, wanted, real), chosen, spec.name))
    value, worst, output = min(found, key=lambda one: one[0] if one[1].higher_is_better else -one[0])
    how = f"{len(data)} samples of {data.origin}, {result.runtime}"
    if len(found) > 1:
        how = f"output '{output}', the worst of {len(found)}; {how}"
    return Measurement("accuracy", value, worst.name, "measured", how)


def _loss_of(real: np.ndarray, target: np.ndarray) -> str | None:
    """Return the loss for class numbers as labels: quantized probabilities do not sum to exactly 1."""
    several = real.ndim > 1 and real.shape[-1] > 1
    return "categorical_crossentropy" if several and target.ndim == real.ndim - 1 else None
