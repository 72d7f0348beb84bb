"""Bias correction: take back what rounding the weights shifts each channel by on average.

With W the weights, W' the rounded ones and E[x] the mean of a layer's inputs, its outputs shift by
(W' - W) E[x]; the bias is corrected by that. Source: Nagel et al., arXiv:1906.04721, section 4.2, with E[x]
measured on calibration samples. Rounding is the converter's: symmetric, the largest weight of a channel (or
kernel) at 127.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tflite_compress.passes.base import Context, Model, PassConfig
from tflite_compress.passes.convert import Numeric
from tflite_compress.passes.fold import FOLDABLE, without_batchnorm
from tflite_compress.passes.repair import keep_if_better

STEPS = 127


class BiasCorrect(PassConfig, frozen=True, tag="bias-correct"):
    """Correct biases for the mean error of rounded weights; kept only if the quantized model gets better.

    Attributes:
        numeric, per_channel: How it will be converted; filled in from the ``convert`` pass.
    """

    numeric: Numeric | Literal["auto"] = "auto"
    per_channel: bool = True


def apply(config: BiasCorrect, model: Model, context: Context) -> Model:
    """Correct a model's biases.

    Args:
        config: The pass's settings.
        model: A model; one whose network cannot be edited stays as it is, with a note.
        context: Gives the calibration samples.
    """
    network = model.network
    if not network.editable:
        return model.noting(f"bias-correct left out: {network.why_not_editable}")
    folded = without_batchnorm(network.handle)
    layers = [layer for layer in folded.layers if type(layer).__name__ in FOLDABLE and layer.use_bias]
    if not layers:
        return model.noting("bias-correct found no layer with a bias")
    with context.progress.step("correcting biases"):
        means = input_means(folded, layers, context.reference.splits.calibrate.inputs)
        for layer in layers:
            kernel, bias = layer.get_weights()
            error = rounded(layer, kernel, config.per_channel) - kernel
            layer.set_weights([kernel, bias - shift(layer, error, means[layer.name])])
    return keep_if_better("bias-correct", model, folded, config, context)


def input_means(model: Any, layers: list[Any], inputs: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Mean of each input channel of each layer over samples and positions."""
    from tflite_compress.backend import tf_keras

    probe = tf_keras().Model(model.inputs, [layer.input for layer in layers])
    batch = list(inputs) if len(inputs) > 1 else inputs[0]
    values = probe.predict(batch, batch_size=64, verbose=0)
    values = values if isinstance(values, list) else [values]
    return {
        layer.name: np.asarray(v).reshape(-1, v.shape[-1]).mean(axis=0)
        for layer, v in zip(layers, values, strict=True)
    }


def rounded(layer: Any, kernel: np.ndarray, per_channel: bool) -> np.ndarray:
    """The kernel as the converter will round it to int8."""
    kind = type(layer).__name__
    axes: tuple[int, ...] = tuple(range(kernel.ndim))
    if per_channel:
        axes = {"DepthwiseConv2D": (0, 1), "Conv2DTranspose": (0, 1, 3)}.get(kind, axes[:-1])
    widest = np.max(np.abs(kernel), axis=axes, keepdims=True)
    scale = np.maximum(widest, 1e-12) / STEPS
    return np.asarray(np.rint(kernel / scale) * scale, kernel.dtype)


def shift(layer: Any, error: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Mean change of each output channel that an error in the weights makes; borders are taken as inside."""
    kind = type(layer).__name__
    if kind == "DepthwiseConv2D":
        return np.asarray((error.sum(axis=(0, 1)) * means[:, np.newaxis]).reshape(-1))
    if kind == "Conv2DTranspose":
        taps = error.sum(axis=(0, 1)) / float(np.prod(layer.strides))
        return np.asarray(taps @ means)
    axes = tuple(range(error.ndim - 2))
    return np.asarray(means @ error.sum(axis=axes))
