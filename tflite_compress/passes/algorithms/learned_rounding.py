"""Learned rounding of one layer's weights; see pass ``adaround``.

Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization" (arXiv:2004.10568).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import numpy as np

from tflite_compress.models.keras_types import ConnectedLayer, KerasModel, Layer, Tensor, Variable
from tflite_compress.models.wiring import wiring
from tflite_compress.passes.algorithms.bias_correction import scale_axes
from tflite_compress.passes.algorithms.weight_update import update_weights

if TYPE_CHECKING:
    from tflite_compress.conversion import LayerType
    from tflite_compress.passes.adaround import AdaRound


LEARNED = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Dense")
BITS: Mapping[LayerType, int] = MappingProxyType({"int8": 8, "int4": 4})
STRETCH, ZETA = 1.2, -0.1  # the rectified sigmoid of equation 23
REGULARIZATION = 0.01
FREE_SHARE = 0.2  # of the steps, before the regularizer pushes each rounding up or down
CLIPS = np.linspace(0.5, 1.0, 26)


@dataclass(frozen=True, eq=False)
class Grid:
    """The values that the weights of a kernel can be rounded to.

    Attributes:
        scale: Step size; broadcasts to the kernel.
        max_step: Largest number of steps from zero, in either direction.
    """

    scale: np.ndarray
    max_step: int

    def below(self, kernel: np.ndarray) -> np.ndarray:
        """Return the number of steps to the value just below each weight."""
        steps = np.floor(kernel / self.scale + 1e-4)
        return np.asarray(np.clip(steps, -self.max_step, self.max_step), np.float32)


def bits_to_round(model: KerasModel, types: Mapping[str, LayerType], with_shared: bool) -> dict[str, int]:
    """Return the bits of each layer whose rounding can be learned, 4 or 8, by name and in graph order.

    Args:
        model: A tf_keras model without BatchNorm.
        types: The layers with a type of their own; the others become int8.
        with_shared: Also layers that are used more than once.
    """
    left_out = frozenset() if with_shared else wiring(model).shared
    return {
        layer.name: BITS[types.get(layer.name, "int8")]
        for layer in model.layers
        if type(layer).__name__ in LEARNED
        and types.get(layer.name, "int8") in BITS
        and layer.name not in left_out
    }


def decidedness(done: float) -> float:
    """Return the exponent of the regularizer, from 20 down to 2.

    Args:
        done: Share of the steps, from 0 to 1.
    """
    pushed = min(1.0, max(0.0, done - FREE_SHARE) / (1 - FREE_SHARE))
    return float(2 + 18 * (1 + np.cos(np.pi * pushed)) / 2)


def step_grid(layer: Layer, bits: int, per_channel: bool) -> Grid:
    """Return the grid of a layer's kernel.

    Step sizes equal the converter's. 4-bit weights are clipped at the threshold with the smallest error.
    """
    kernel = layer.get_weights()[0]
    axes, max_step = scale_axes(layer, kernel, per_channel), 2 ** (bits - 1) - 1
    widest = np.maximum(np.max(np.abs(kernel), axis=axes, keepdims=True), 1e-12)
    if bits == 8:
        return Grid(widest / max_step, max_step)
    best, least = widest, np.full(widest.shape, np.inf)
    for clip in CLIPS:
        scale = clip * widest / max_step
        rounded = np.clip(np.rint(kernel / scale), -max_step, max_step) * scale
        error = np.sum((kernel - rounded) ** 2, axis=axes, keepdims=True)
        best, least = np.where(error < least, clip * widest, best), np.minimum(error, least)
    return Grid(best / max_step, max_step)


def values_of(
    model: KerasModel, layer: ConnectedLayer, inputs: tuple[np.ndarray, ...], outputs: bool
) -> np.ndarray:
    """Return the inputs or outputs of a layer on the calibration samples, without its activation."""
    from tflite_compress.support.backend import tf_keras

    source = layer.input
    probe = tf_keras().Model(model.inputs, source)
    batch = list(inputs) if len(inputs) > 1 else inputs[0]
    values = np.asarray(probe.predict(batch, batch_size=64, verbose=0))
    if not outputs:
        return values
    linear = _linear(layer)
    parts = [np.asarray(linear(values[i : i + 64])) for i in range(0, len(values), 64)]
    return np.concatenate(parts)


def _linear(layer: ConnectedLayer) -> ConnectedLayer:
    """Return a copy of the layer without its activation."""
    config = {**layer.get_config(), "activation": "linear"}
    copy = cast("ConnectedLayer", type(layer).from_config(config))
    copy.build(layer.input_shape)
    copy.set_weights(layer.get_weights())
    return copy


def learn(
    layer: ConnectedLayer,
    grid: Grid,
    given: np.ndarray,
    wanted: np.ndarray,
    config: AdaRound,
    seed: int,
    advance: Callable[[int], None],
) -> None:
    """Round one layer's kernel in place.

    Args:
        layer: A tf_keras layer.
        grid: What to round to.
        given: Its inputs from rounded layers, shape (samples, ...).
        wanted: Its float outputs, before the activation.
        config: Steps, batch size and learning rate.
        seed: Seed of the choice of batches.
        advance: Called with 1 after each step.
    """
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    kernel, *rest = layer.get_weights()
    below = grid.below(kernel)
    share = np.clip(kernel / grid.scale - below, 0.01, 0.99)
    choice = tf.Variable(inverse_share(share).astype(np.float32))
    step = _step(_linear(layer), choice, below, grid, float(np.mean(wanted**2)) + 1e-12, config)
    rng = np.random.default_rng(seed)
    for index in range(config.steps):
        batch = rng.integers(0, len(given), config.batch_size)
        done = index / config.steps
        step(given[batch], wanted[batch], np.float32(decidedness(done)), np.float32(done > FREE_SHARE))
        advance(1)
    up = np.asarray(rectified(choice)) >= 0.5
    steps = np.clip(below + up, -grid.max_step, grid.max_step)
    layer.set_weights([(steps * grid.scale).astype(kernel.dtype), *rest])


def inverse_share(share: np.ndarray) -> np.ndarray:
    """Return the variable whose rectified sigmoid is ``share``."""
    inner = (share - ZETA) / STRETCH
    return np.asarray(np.log(inner / (1 - inner)))


def rectified(choice: Variable) -> Tensor:
    """Return how far each weight goes up, from 0 to 1, for the variable of its choice."""
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    share: Tensor = tf.clip_by_value(tf.sigmoid(choice) * STRETCH + ZETA, 0.0, 1.0)
    return share


def _step(
    linear: ConnectedLayer, choice: Variable, below: np.ndarray, grid: Grid, size: float, config: AdaRound
) -> Callable[..., None]:
    """One gradient step on the rounding of a layer (equations 21 to 25)."""
    from tflite_compress.support.backend import tensorflow, tf_keras

    tf = tensorflow()
    optimizer = tf_keras().optimizers.Adam(config.learning_rate)
    optimizer.build([choice])
    name = "depthwise_kernel" if type(linear).__name__ == "DepthwiseConv2D" else "kernel"
    scale = tf.constant(grid.scale, tf.float32)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(given: Tensor, wanted: Tensor, beta: Tensor, pushed: Tensor) -> None:
        with tf.GradientTape() as tape:
            up = rectified(choice)
            steps = tf.clip_by_value(below + up, -float(grid.max_step), float(grid.max_step))
            setattr(linear, name, steps * scale)  # as TF-MOT's wrappers do: a tensor for the variable
            error = tf.reduce_mean(tf.square(tf.subtract(linear.call(given), wanted))) / size
            undecided = tf.reduce_mean(1 - tf.pow(tf.abs(2 * up - 1), beta))
            loss = error + pushed * REGULARIZATION * undecided
        update_weights(optimizer, [tape.gradient(loss, choice)], [choice])

    return cast("Callable[..., None]", step)
