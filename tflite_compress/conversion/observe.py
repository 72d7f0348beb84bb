"""Measure the values of each tensor of a float ``.tflite`` on calibration samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.tflite.flatbuffer import operator_name, tensor_name, type_name
from tflite_compress.tflite.tree import shape_of

BINS = 2048


@dataclass(frozen=True, eq=False)
class Observed:
    """Statistics of the values of one tensor.

    Attributes:
        low: Smallest value.
        high: Largest value.
        counts: Histogram over ``BINS`` equal bins from ``low`` to ``high``, int64; empty if not requested.
        rank: Number of the tensor's dimensions.
        kind: Operator that computes the tensor, as in ``schema.fbs``; empty for an input of the model.
    """

    low: float
    high: float
    counts: np.ndarray
    rank: int
    kind: str


def observe(
    content: bytes,
    inputs: tuple[np.ndarray, ...],
    names: tuple[str, ...],
    histograms: bool,
    advance: Callable[[int], None] = lambda n: None,
) -> dict[str, Observed]:
    """Return statistics of every float tensor that is not a constant, measured on samples.

    Args:
        content: The float32 ``.tflite``, batch 1.
        inputs: Samples, one array per input, shape (samples, ...).
        names: Signature names of the inputs, in that order.
        histograms: Also compute histograms, in a second run over the samples.
        advance: Called with 1 for each sample.

    Returns:
        Statistics by tensor name.
    """
    model = LoadedModel(content)
    model.run(_samples(inputs)[0], names)
    tensors = {index: kind for index, kind in _watched(model).items() if model.holds(index)}
    low, high = dict.fromkeys(tensors, np.inf), dict.fromkeys(tensors, -np.inf)
    counts = {index: np.zeros(BINS if histograms else 0, np.int64) for index in tensors}
    for sample in _samples(inputs):
        model.run(sample, names)
        advance(1)
        for index in tensors:
            values = model.value(index)
            if values.size:
                low[index] = min(low[index], float(values.min()))
                high[index] = max(high[index], float(values.max()))
    for sample in _samples(inputs) if histograms else ():
        model.run(sample, names)
        for index in tensors:
            if high[index] > low[index]:
                span = (low[index], high[index])
                counts[index] += np.histogram(model.value(index), BINS, span)[0]
    graph = model.graph
    return {
        tensor_name(graph.tensors[i]): Observed(
            low[i], high[i], counts[i], len(shape_of(graph.tensors[i])), kind
        )
        for i, kind in tensors.items()
        if np.isfinite(low[i]) and np.isfinite(high[i])
    }


def _watched(model: LoadedModel) -> dict[int, str]:
    """Return the index of each float input and operator output, with the operator that computes it."""
    found = {int(index): "" for index in model.graph.inputs}
    for operator in model.graph.operators:
        kind = operator_name(model.tree, operator)
        found |= {int(index): kind for index in operator.outputs}
    return {i: kind for i, kind in found.items() if type_name(model.graph.tensors[i].type) == "FLOAT32"}


def _samples(inputs: tuple[np.ndarray, ...]) -> list[tuple[np.ndarray, ...]]:
    return [tuple(x[i : i + 1] for x in inputs) for i in range(len(inputs[0]))]
