"""Train with 4-bit rounding of weights, in TF-MOT's wrappers.

TF-MOT's own quantizers have one scale for a whole dense or depthwise kernel. Here each channel has one, as in
the file, and gradients pass the rounding unchanged.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import KerasModel, Layer, Tensor, Variable
from tflite_compress.models.layer_table import QAT_PREFIX
from tflite_compress.passes.algorithms.bias_correction import scale_axes
from tflite_compress.passes.algorithms.simulated_rounding import with_simulated_rounding

MAX_STEP = 7


class KernelQuantizer:
    """A quantizer of TF-MOT that rounds a kernel to 15 values per scale.

    Args:
        axes: Axes of the kernel that share a scale.
    """

    def __init__(self, axes: tuple[int, ...]) -> None:
        self._axes = axes

    def build(self, tensor_shape: object, name: str, layer: Layer) -> dict[str, object]:
        """Return no variables: scales follow from the kernel."""
        return {}

    def __call__(self, inputs: Tensor, training: object, weights: object, **kwargs: object) -> Tensor:
        """Return the rounded kernel with the gradient of the kernel."""
        from tflite_compress.support.backend import tensorflow

        rounded = rounded_kernel(inputs, self._axes)
        found: Tensor = inputs + tensorflow().stop_gradient(rounded - inputs)
        return found

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        return {"axes": self._axes}


def rounded_kernel(kernel: Tensor | np.ndarray, axes: tuple[int, ...]) -> Tensor:
    """Return the values of a kernel that the conversion stores.

    Args:
        kernel: A kernel, float32.
        axes: Its axes that share a scale.
    """
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    widest = tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True)
    scale = tf.maximum(widest, 1e-12) / MAX_STEP
    rounded: Tensor = tf.clip_by_value(tf.round(kernel / scale), -MAX_STEP, MAX_STEP) * scale
    return rounded


def prepared(
    model: KerasModel, chosen: frozenset[str], four: Collection[str], per_channel: bool
) -> KerasModel:
    """Return a copy with TF-MOT's wrappers that round the kernels of some layers to 4 bits.

    Layers with 4-bit weights that TF-MOT cannot wrap keep their weights.

    Args:
        model: A model without BatchNorm; unchanged.
        chosen: Names of layers that TF-MOT knows.
        four: Names of layers with 4-bit weights.
        per_channel: False for one scale per kernel.

    Raises:
        ConversionError: TF-MOT cannot copy the network.
    """
    quantizers = {}
    for name in chosen & {*four}:
        layer = model.get_layer(name)
        quantizers[name] = KernelQuantizer(scale_axes(layer, layer.get_weights()[0], per_channel))
    training = with_simulated_rounding(model, chosen, False, False, quantizers)
    for layer in training.layers:
        if layer.name.removeprefix(QAT_PREFIX) in {*four} - chosen:
            layer.trainable = False
    return training


def trained_copy(
    model: KerasModel, training: KerasModel, four: Collection[str], per_channel: bool
) -> KerasModel:
    """Return a copy of a network with the trained weights, those of 4 bits rounded.

    Args:
        model: The network before training.
        training: The network with TF-MOT's wrappers, trained.
        four: Names of layers with 4-bit weights.
        per_channel: False for one scale per kernel.
    """
    result = copied(model)
    trained = {la.name.removeprefix(QAT_PREFIX): la for la in training.layers}
    for layer in result.layers:
        if not layer.trainable_weights or not trained[layer.name].trainable:
            continue
        by_name = {_own_name(w): w.numpy() for w in trained[layer.name].weights}
        weights = [by_name[_own_name(w)] for w in layer.weights]
        if layer.name in four:
            axes = scale_axes(layer, weights[0], per_channel)
            weights[0] = np.asarray(rounded_kernel(weights[0], axes))
        layer.set_weights(weights)
    return result


def _own_name(weight: Variable) -> str:
    return str(weight.name).rpartition("/")[2]
