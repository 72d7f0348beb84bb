"""Folding BatchNorm into the layer before it, so that its weights are those that get quantized.

Source: Jacob et al., arXiv:1712.05877, section 3.2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from tflite_compress.models.copying import rebuild, weighted_layers
from tflite_compress.models.keras_types import BatchNorm, KerasModel, Layer, Tensor
from tflite_compress.models.wiring import wiring
from tflite_compress.support.backend import tf_keras

FOLDABLE = ("Conv1D", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "Dense")


def without_batchnorm(model: KerasModel) -> KerasModel:
    """Return a copy of a tf_keras model with BatchNorm folded into the layers before it, where possible.

    Args:
        model: A flat functional tf_keras model; stays as it is.
    """
    pairs = foldable(model)
    into = {norm: before for before, norm in pairs.items()}

    def stand_in(layer: Layer) -> Layer:
        if layer.name in into:
            return _through()(name=layer.name)
        if layer.name in pairs:
            return type(layer).from_config({**layer.get_config(), "use_bias": True})
        return _copy(layer)

    result = rebuild(model, stand_in)
    targets = {layer.name: layer for layer in weighted_layers(result)}
    for layer in weighted_layers(model):
        if layer.name in pairs:
            norm = model.get_layer(pairs[layer.name])
            targets[layer.name].set_weights(folded_weights(layer, norm))
        elif layer.name not in into:
            targets[layer.name].set_weights(layer.get_weights())
    return result


def _copy(layer: Layer) -> Layer:
    """Return a new layer with the same configuration, which has a single output in the new model."""
    if type(layer).__name__ == "Lambda":
        return layer
    try:
        return type(layer).from_config(layer.get_config())
    except (TypeError, ValueError):  # an activation that is a function of the user's
        if layer.weights:
            raise
        return layer


@functools.cache
def _through() -> Callable[..., Layer]:
    """Return a layer that replaces a folded BatchNorm and returns its input."""

    class Through(tf_keras().layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Tensor, training: object = None, mask: object = None) -> Tensor:
            return inputs

    return Through


def foldable(model: KerasModel) -> dict[str, str]:
    """Return the BatchNorm layers that can be folded, by the name of the layer they are folded into."""
    wires = wiring(model)
    found = {}
    for name, layer in wires.layers.items():
        reader = wires.only_reader(name)
        if type(layer).__name__ not in FOLDABLE or reader is None:
            continue
        norm = wires.layers[reader]
        plain = getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear"
        if plain and type(norm).__name__ == "BatchNormalization" and _over_channels(norm):
            found[name] = reader
    return found


def _over_channels(norm: BatchNorm) -> bool:
    axis = norm.axis if isinstance(norm.axis, int) else norm.axis[0]
    shape = norm.input_shape
    return bool(axis in (-1, len(shape) - 1))


def folded_weights(layer: Layer, norm: BatchNorm) -> list[np.ndarray]:
    """Return kernel and bias that compute layer and BatchNorm together."""
    kernel, *bias = layer.get_weights()
    width = norm.moving_mean.shape[0]
    gamma = norm.gamma.numpy() if norm.scale else np.ones(width, np.float32)
    beta = norm.beta.numpy() if norm.center else np.zeros(width, np.float32)
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    factor = gamma / np.sqrt(variance + norm.epsilon)
    start = bias[0] if bias else np.zeros(width, np.float32)
    return [scaled_outputs(layer, kernel, factor), (start - mean) * factor + beta]


def scaled_outputs(layer: Layer, kernel: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return the kernel with each output channel multiplied by its factor."""
    kind = type(layer).__name__
    if kind == "DepthwiseConv2D":
        return np.asarray(kernel * factor.reshape(kernel.shape[2:]))
    if kind == "Conv2DTranspose":
        return np.asarray(kernel * factor[:, np.newaxis])
    return np.asarray(kernel * factor)


def scaled_inputs(layer: Layer, kernel: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return the kernel with each input channel multiplied by its factor."""
    kind = type(layer).__name__
    if kind == "Dense":
        spread = np.tile(factor, kernel.shape[0] // len(factor))  # behind Flatten, channels come last
        return np.asarray(kernel * spread[:, np.newaxis])
    if kind == "Conv2DTranspose":
        return np.asarray(kernel * factor)
    return np.asarray(kernel * factor[:, np.newaxis])
