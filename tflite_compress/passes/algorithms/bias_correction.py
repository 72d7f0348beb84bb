"""Means of layer inputs and the shift that rounded weights cause; see pass ``bias_correct``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_compress.models.keras_types import ConnectedLayer, KerasModel, Layer
from tflite_compress.passes.algorithms.fold import FOLDABLE

_KEEP_MEANS = "ZeroPadding2D ZeroPadding1D Dropout SpatialDropout2D AveragePooling2D GlobalAveragePooling2D"


def input_means(
    model: KerasModel, layers: Sequence[ConnectedLayer], inputs: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    """Return the mean of each input channel of each layer over samples and positions."""
    from tflite_compress.support.backend import tf_keras

    probe = tf_keras().Model(model.inputs, [layer.input for layer in layers])
    batch = list(inputs) if len(inputs) > 1 else inputs[0]
    values = probe.predict(batch, batch_size=64, verbose=0)
    values = values if isinstance(values, list) else [values]
    return {
        layer.name: np.asarray(v).reshape(-1, v.shape[-1]).mean(axis=0)
        for layer, v in zip(layers, values, strict=True)
    }


def analytic_means(model: KerasModel) -> dict[str, np.ndarray]:
    """Mean of each input channel of layers behind a BatchNorm, with or without a ReLU between.

    A BatchNorm's outputs have mean beta and deviation gamma; of a Gaussian rectified, the mean is
    gamma pdf(-beta/gamma) + beta (1 - cdf(-beta/gamma)).
    """
    from tflite_compress.models.wiring import wiring

    wires = wiring(model)
    found = {}
    for name, norm in wires.layers.items():
        if type(norm).__name__ != "BatchNormalization":
            continue
        beta = norm.beta.numpy() if norm.center else np.zeros(norm.moving_mean.shape)
        gamma = norm.gamma.numpy() if norm.scale else np.ones(norm.moving_mean.shape)
        reader, mean = wires.only_reader(name), np.asarray(beta, np.float64)
        while reader is not None and type(wires.layers[reader]).__name__ not in FOLDABLE:
            layer = wires.layers[reader]
            if rectifies(layer):
                mean = _rectified_mean(beta, np.abs(gamma))
            elif type(layer).__name__ not in _KEEP_MEANS.split():
                reader = None
                break
            reader = wires.only_reader(reader)
        if reader is not None:
            found[reader] = mean.astype(np.float32)
    return found


def rectifies(layer: Any) -> bool:
    """Return True for a plain ReLU layer."""
    if type(layer).__name__ == "ReLU":
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    return type(layer).__name__ == "Activation" and getattr(layer.activation, "__name__", "") == "relu"


def _rectified_mean(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    deviation = np.maximum(deviation, 1e-12)
    ratio = mean / deviation
    density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    above = np.vectorize(lambda r: 0.5 * (1 + math.erf(r / math.sqrt(2))))(ratio)
    return np.asarray(deviation * density + mean * above)


def scale_axes(layer: Layer, kernel: np.ndarray, per_channel: bool) -> tuple[int, ...]:
    """Return the axes of a kernel that share one scale."""
    if not per_channel:
        return tuple(range(kernel.ndim))
    kinds = {"DepthwiseConv2D": (0, 1), "Conv2DTranspose": (0, 1, 3)}
    return kinds.get(type(layer).__name__, tuple(range(kernel.ndim - 1)))


def rounded(layer: Layer, kernel: np.ndarray, per_channel: bool, bits: int = 8) -> np.ndarray:
    """Return the kernel after rounding to nearest."""
    widest = np.max(np.abs(kernel), axis=scale_axes(layer, kernel, per_channel), keepdims=True)
    scale = np.maximum(widest, 1e-12) / (2 ** (bits - 1) - 1)
    return np.asarray(np.rint(kernel / scale) * scale, kernel.dtype)


def shift(layer: Any, error: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the mean change of each output channel by an error in the weights, ignoring borders."""
    kind = type(layer).__name__
    if kind == "DepthwiseConv2D":
        return np.asarray((error.sum(axis=(0, 1)) * means[:, np.newaxis]).reshape(-1))
    if kind == "Conv2DTranspose":
        taps = error.sum(axis=(0, 1)) / float(np.prod(layer.strides))
        return np.asarray(taps @ means)
    axes = tuple(range(error.ndim - 2))
    return np.asarray(means @ error.sum(axis=axes))
