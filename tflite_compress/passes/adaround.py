"""Adaptive rounding: for each weight, learn whether to round it up or down.

Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization" (arXiv:2004.10568): layer
by layer, the rounding of all weights is chosen so that the layer's outputs come closest to the float
ones, with inputs from the layers rounded before it. The step sizes are the converter's; 4-bit weights
are clipped first where that lowers the squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tflite_compress.passes.base import Context, Count, Model, Rate, named
from tflite_compress.passes.bias_correct import scale_axes
from tflite_compress.passes.fold import without_batchnorm
from tflite_compress.passes.repair import Repair, keep_if_better, with_handle

LEARNED = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Dense")
STRETCH, ZETA = 1.2, -0.1  # the rectified sigmoid of equation 23
REGULARIZATION = 0.01
FREE_SHARE = 0.2  # of the steps, before roundings are pushed to up or down
CLIPS = np.linspace(0.5, 1.0, 26)


class AdaRound(Repair, frozen=True, tag="adaround"):
    """Learn the rounding of weights from calibration inputs; kept only if the quantized model gets better.

    Attributes:
        steps: Gradient steps a layer.
        batch_size: Samples in a step.
        learning_rate: Adam's.
    """

    steps: Count = 400
    batch_size: Count = 32
    learning_rate: Rate = 0.02


@dataclass(frozen=True, eq=False)
class Grid:
    """The numbers a kernel can be rounded to.

    Attributes:
        scale: Distance between them; broadcasts to the kernel.
        most: They go from ``-most`` to ``most`` steps.
    """

    scale: np.ndarray
    most: int

    def below(self, kernel: np.ndarray) -> np.ndarray:
        """Steps to the number just below each weight."""
        steps = np.floor(kernel / self.scale + 1e-4)
        return np.asarray(np.clip(steps, -self.most, self.most), np.float32)


def apply(config: AdaRound, model: Model, context: Context) -> Model:
    """Round a model's weights.

    Args:
        config: The pass's settings.
        model: A model; one whose network cannot be edited stays as it is, with a note.
        context: Gives the calibration samples and the seed.
    """
    from tflite_compress.support.backend import seed_everything

    network = model.network
    if not network.editable:
        return model.noting(f"adaround left out: {network.why_not_editable}")
    seed_everything(context.seed)
    plain, work = without_batchnorm(network.handle), without_batchnorm(network.handle)
    types = dict(model.types)
    layers = [
        layer
        for layer in work.layers
        if type(layer).__name__ in LEARNED and types.get(layer.name, "int8") in ("int8", "int4")
    ]
    if not layers:
        return model.noting("adaround found no layer to round")
    inputs = context.reference.splits.calibrate.inputs
    with context.progress.step("learning to round", len(layers)) as advance:
        for layer in layers:
            grid = step_grid(layer, 4 if types.get(layer.name) == "int4" else 8, config.per_channel)
            wanted = _values(plain, plain.get_layer(layer.name), inputs, outputs=True)
            given = _values(work, layer, inputs, outputs=False)
            learn(layer, grid, given, wanted, config, context.seed)
            advance(1)
    done = keep_if_better("adaround", model, with_handle(model, work), config, context)
    others = [layer.name for layer in work.layers if layer.trainable_weights and layer not in layers]
    return done.noting(f"rounded to nearest: {named(others)}") if others else done


def step_grid(layer: Any, bits: int, per_channel: bool) -> Grid:
    """Step sizes as the converter will choose them; for 4 bits from weights clipped at least error."""
    kernel = layer.get_weights()[0]
    axes, most = scale_axes(layer, kernel, per_channel), 2 ** (bits - 1) - 1
    widest = np.maximum(np.max(np.abs(kernel), axis=axes, keepdims=True), 1e-12)
    if bits == 8:
        return Grid(widest / most, most)
    best, least = widest, np.full(widest.shape, np.inf)
    for clip in CLIPS:
        scale = clip * widest / most
        rounded = np.clip(np.rint(kernel / scale), -most, most) * scale
        error = np.sum((kernel - rounded) ** 2, axis=axes, keepdims=True)
        best, least = np.where(error < least, clip * widest, best), np.minimum(error, least)
    return Grid(best / most, most)


def _values(model: Any, layer: Any, inputs: tuple[np.ndarray, ...], outputs: bool) -> np.ndarray:
    """What a layer reads or gives on the calibration samples; activations left out."""
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


def _linear(layer: Any) -> Any:
    """A copy of the layer without its activation."""
    copy = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    copy.build(layer.input_shape)
    copy.set_weights(layer.get_weights())
    return copy


def learn(layer: Any, grid: Grid, given: np.ndarray, wanted: np.ndarray, config: AdaRound, seed: int) -> None:
    """Round one layer's kernel in place.

    Args:
        layer: A tf_keras layer.
        grid: What to round to.
        given: Its inputs from rounded layers, shape (samples, ...).
        wanted: Its float outputs, before the activation.
        config: Steps, batch size and learning rate.
        seed: Seed of the choice of batches.
    """
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    kernel, *rest = layer.get_weights()
    below = grid.below(kernel)
    share = np.clip(kernel / grid.scale - below, 0.01, 0.99)
    choice = tf.Variable(_inverse(share).astype(np.float32))
    step = _step(_linear(layer), choice, below, grid, float(np.mean(wanted**2)) + 1e-12, config)
    rng = np.random.default_rng(seed)
    for index in range(config.steps):
        batch = rng.integers(0, len(given), config.batch_size)
        done = index / config.steps
        beta = 2 + 18 * (1 + np.cos(np.pi * min(1.0, max(0.0, done - FREE_SHARE) / (1 - FREE_SHARE)))) / 2
        step(given[batch], wanted[batch], np.float32(beta), np.float32(done > FREE_SHARE))
    up = np.asarray(_rectified(choice)) >= 0.5
    steps = np.clip(below + up, -grid.most, grid.most)
    layer.set_weights([(steps * grid.scale).astype(kernel.dtype), *rest])


def _inverse(share: np.ndarray) -> np.ndarray:
    """The variable whose rectified sigmoid is ``share``."""
    inner = (share - ZETA) / STRETCH
    return np.asarray(np.log(inner / (1 - inner)))


def _rectified(choice: Any) -> Any:
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    return tf.clip_by_value(tf.sigmoid(choice) * STRETCH + ZETA, 0.0, 1.0)


def _step(
    linear: Any, choice: Any, below: np.ndarray, grid: Grid, size: float, config: AdaRound
) -> Callable[..., Any]:
    """One gradient step on the rounding of a layer (equations 21 to 25)."""
    from tflite_compress.support.backend import tensorflow, tf_keras

    tf = tensorflow()
    optimizer = tf_keras().optimizers.Adam(config.learning_rate)
    optimizer.build([choice])
    name = "depthwise_kernel" if type(linear).__name__ == "DepthwiseConv2D" else "kernel"
    scale = tf.constant(grid.scale, tf.float32)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(given: Any, wanted: Any, beta: Any, pushed: Any) -> None:
        with tf.GradientTape() as tape:
            up = _rectified(choice)
            steps = tf.clip_by_value(below + up, -float(grid.most), float(grid.most))
            setattr(linear, name, steps * scale)  # as TF-MOT's wrappers do: a tensor for the variable
            error = tf.reduce_mean(tf.square(linear.call(given) - wanted)) / size
            undecided = tf.reduce_mean(1 - tf.pow(tf.abs(2 * up - 1), beta))
            loss = error + pushed * REGULARIZATION * undecided
        optimizer.apply_gradients([(tape.gradient(loss, choice), choice)])

    return cast("Callable[..., Any]", step)
