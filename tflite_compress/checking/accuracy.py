"""Accuracy of a ``.tflite`` on labelled data, without the original model."""

from __future__ import annotations

import numpy as np

from tflite_compress.data.raw import FileData
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.scoring.metrics import apply_metric, given_metric, infer_head, metric_for
from tflite_compress.support.errors import DataError
from tflite_compress.tflite.tensor_specs import Signature


def measure_accuracy(
    answer: RunResult, data: FileData, ports: Signature, metric: str | None = None
) -> Measurement:
    """Score a runtime's outputs against labels; the mean over outputs.

    Args:
        answer: What a runtime computed for ``data``.
        data: Inputs and labels.
        ports: The file's outputs.
        metric: Name of a metric or ``module:function``; inferred by default.

    Raises:
        DataError: The data has no labels, or the metric does not fit.
    """
    if data.labels is None or answer.outputs is None:
        raise DataError(f"{data.origin}: has no labels to check accuracy with", "Give labels: y in the .npz.")
    values, names = [], []
    for port, raw, target in zip(ports.outputs, answer.outputs, data.labels, strict=True):
        real = port.to_real(raw[:, 0] if raw.ndim == len(port.shape) + 1 else raw)
        chosen = (
            given_metric(metric) if metric else metric_for(infer_head(real, target, _loss_of(real, target)))
        )
        values.append(apply_metric(chosen, target, real))
        names.append(chosen.name)
    how = f"{len(data)} samples of {data.origin}, {answer.runtime}"
    return Measurement("accuracy", float(np.mean(values)), "/".join(dict.fromkeys(names)), "measured", how)


def _loss_of(real: np.ndarray, target: np.ndarray) -> str | None:
    """Quantized probabilities do not sum exactly to one; class numbers as labels settle what they are."""
    several = real.ndim > 1 and real.shape[-1] > 1
    return "categorical_crossentropy" if several and target.ndim == real.ndim - 1 else None
