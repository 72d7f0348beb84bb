"""Ranges of simulated rounding before a training, measured on samples.

TF-MOT begins with ranges of -6 to 6 and moves them by 0.1 % per batch, so that a training of some hundred
batches ends with ranges that do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from tflite_compress.models.keras_types import KerasModel, Layer, Variable
from tflite_compress.models.network import keras_network
from tflite_compress.support.backend import tensorflow

MAX_SAMPLES = 512

Put = Callable[[object], object]  # quantizer -> the one before


def set_ranges(model: KerasModel, inputs: tuple[np.ndarray, ...], batch_size: int) -> None:
    """Set the ranges of a network with simulated rounding to the means of those of batches.

    Args:
        model: A network from ``with_simulated_rounding``; changed in place.
        inputs: Samples, one array for each input.
        batch_size: Samples per batch, as in the training.
    """
    for layer in model.layers:
        for weight, quantizer, ranges in getattr(layer, "_weight_vars", ()):
            quantizer(weight, True, weights=ranges)
    places = [place for layer in model.layers for place in _places(layer)]
    recorder = _Recorder()
    network = keras_network(model, "ranges", True)
    quantizers = [put(recorder) for put in places]
    try:
        for start in range(0, min(len(inputs[0]), MAX_SAMPLES), batch_size):
            network.call(tuple(tensorflow().constant(x[start : start + batch_size]) for x in inputs))
    finally:
        for put, quantizer in zip(places, quantizers, strict=True):
            put(quantizer)
    recorder.assign()


def _places(layer: Layer) -> Iterator[Put]:
    """Return a function for each quantizer of a layer's activations that puts another one in its place."""
    for activation in getattr(layer, "_quantize_activations", ()):
        yield partial(_put, activation)
    if quantizers := getattr(layer, "_output_quantizers", ()):
        yield partial(_put_first, quantizers)
    if getattr(layer, "quantizer", None) is not None:
        yield partial(_put, layer)


def _put(owner: object, quantizer: object) -> object:
    """Set the quantizer of an object and return the one before."""
    before: object = vars(owner)["quantizer"]
    vars(owner)["quantizer"] = quantizer  # Keras would track it
    return before


def _put_first(quantizers: list[object], quantizer: object) -> object:
    """Set the first quantizer of a list, the only one that TF-MOT uses, and return the one before."""
    before, quantizers[0] = quantizers[0], quantizer
    return before


class _Recorder:
    """Called in place of quantizers: it measures ranges and returns values without rounding."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Mapping[str, Variable], list[tuple[float, float]]]] = {}

    def __call__(
        self, values: object, training: object, weights: Mapping[str, Variable], **_: object
    ) -> object:
        found = np.asarray(values)
        ranges = self._seen.setdefault(id(weights["min_var"]), (weights, []))[1]
        ranges.append((min(0.0, float(found.min())), max(0.0, float(found.max()))))
        return values

    def assign(self) -> None:
        """Set the ranges to the means of those that were seen."""
        for weights, ranges in self._seen.values():
            low, high = np.mean(ranges, axis=0)
            weights["min_var"].assign(low)
            weights["max_var"].assign(high)
