"""Learned rounding of the weights of a block of layers; see pass ``block_round``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import KerasModel, Layer, Tensor, Variable
from tflite_compress.passes.algorithms.blocks import FINAL, Block
from tflite_compress.passes.algorithms.learned_rounding import (
    FREE_SHARE,
    Grid,
    decidedness,
    inverse_share,
    rectified,
)
from tflite_compress.passes.algorithms.weight_update import update_weights

if TYPE_CHECKING:
    from tflite_compress.passes.block_round import BlockRound

Arrays = tuple[np.ndarray, ...]
# Both were chosen on test images of a ResNet8 that learns from 4,000 colour images, and tried again with
# two other choices of these images and with a Fashion-MNIST network, on images that rounding does not learn
# from. Regularization of 0.1 to 1 and shares of 0 to 0.05 give equal agreement with the float network;
# regularization of 0.03 gives less.
REGULARIZATION = 0.1  # ten times that of single layers: a few hundred steps must decide on all weights
SMALLER = 0.005  # learning rate of scales and biases, as a share of that of the rounding


@dataclass(frozen=True, eq=False)
class Rounding:
    """What is learned about one layer.

    Attributes:
        layer: The layer, in a copy of its block.
        grid: What its kernel is rounded to.
        below: Number of steps to the value below each weight.
        fixed: True for the weights that keep the largest number of steps, from which the converter computes
            the scale.
        choice: Variable that decides whether a weight goes up.
        factor: Logarithm of what the scale is multiplied by.
        bias: What is added to the bias, in ``unit``; None without a bias.
        unit: Size of the block's outputs.
    """

    layer: Any
    grid: Grid
    below: np.ndarray
    fixed: np.ndarray
    choice: Variable
    factor: Variable
    bias: Variable | None
    unit: float
    start: list[np.ndarray]

    @classmethod
    def of(cls, layer: Layer, grid: Grid, unit: float) -> Rounding:
        """Return the start: each weight leans to the side it is nearer to."""
        from tflite_compress.support.backend import tensorflow

        tf = tensorflow()
        kernel, *rest = layer.get_weights()
        below = grid.below(kernel)
        fixed = np.abs(kernel / grid.scale) >= grid.max_step - 1e-3
        below = np.where(fixed, np.sign(kernel) * grid.max_step, below).astype(np.float32)
        share = np.clip(kernel / grid.scale - below, 0.01, 0.99)
        choice = tf.Variable(inverse_share(share).astype(np.float32))
        factor = tf.Variable(np.zeros(grid.scale.shape, np.float32))
        bias = tf.Variable(np.zeros(rest[0].shape, np.float32)) if rest else None
        return cls(layer, grid, below, fixed, choice, factor, bias, unit, [kernel, *rest])

    @property
    def others(self) -> list[Variable]:
        """The variables besides the choices."""
        return [self.factor] if self.bias is None else [self.factor, self.bias]

    def apply(self) -> Tensor:
        """Put the kernel and bias as tensors into the layer, and return the choices."""
        from tflite_compress.support.backend import tensorflow

        tf = tensorflow()
        up = tf.where(self.fixed, 0.0, rectified(self.choice))
        steps = tf.clip_by_value(self.below + up, -float(self.grid.max_step), float(self.grid.max_step))
        scale = tf.constant(self.grid.scale, tf.float32) * tf.exp(self.factor)
        # as TF-MOT's wrappers do: a tensor for the variable
        setattr(self.layer, kernel_name(self.layer), steps * scale)
        if self.bias is not None:
            self.layer.bias = tf.constant(self.start[1]) + self.bias * self.unit
        return cast("Tensor", up)

    def weights(self) -> list[np.ndarray]:
        """Return the rounded kernel and the bias."""
        up = np.where(self.fixed, 0.0, np.asarray(rectified(self.choice)) >= 0.5)
        steps = np.clip(self.below + up, -self.grid.max_step, self.grid.max_step)
        kernel = steps * self.grid.scale * np.exp(np.asarray(self.factor))
        rest = [] if self.bias is None else [self.start[1] + np.asarray(self.bias) * self.unit]
        return [part.astype(np.float32) for part in (kernel, *rest)]


def kernel_name(layer: Layer) -> str:
    """Return the name of the attribute that holds a layer's kernel."""
    return "depthwise_kernel" if type(layer).__name__ == "DepthwiseConv2D" else "kernel"


def part_of(model: KerasModel, block: Block, is_last: bool) -> KerasModel:
    """Return a copy of a block as a model of its own. The last one returns values before the activation."""
    from tflite_compress.support.backend import tf_keras

    ends = {block.exit} if is_last else set()

    def changes(layer: Layer) -> dict[str, Any]:
        kind = getattr(getattr(layer, "activation", None), "__name__", "")
        return {"activation": "linear"} if layer.name in ends and kind in FINAL else {}

    return copied(tf_keras().Model(block.entry_of(model), block.exit_of(model)), changes)


def inputs_of(model: KerasModel, block: Block, values: Arrays) -> Arrays:
    """Return what a block reads, one array for each of its inputs.

    Args:
        model: The network.
        block: The first block; layers before it, such as a Rescaling, have no rounding to learn.
        values: The inputs of the network, one array for each.
    """
    from tflite_compress.support.backend import tf_keras

    if block.entry is None:
        return values
    return outputs_of(tf_keras().Model(model.inputs, block.entry_of(model)), values)


def outputs_of(part: KerasModel, values: Arrays) -> Arrays:
    """Return the outputs of a part for its inputs, one array for each."""
    found = cast("Any", part).predict(list(values), batch_size=128, verbose=0)
    return tuple(found) if isinstance(found, list) else (found,)


def learn_block(
    part: KerasModel,
    grids: Mapping[str, Grid],
    given: Arrays,
    wanted: Arrays,
    config: BlockRound,
    seed: int,
    advance: Callable[[int], None],
) -> dict[str, list[np.ndarray]]:
    """Return the rounded weights of the layers of a block, by name.

    Args:
        part: A copy of the block with float weights; it is used up.
        grids: What to round each layer's kernel to.
        given: The inputs of the block from rounded layers, one array for each, shape (samples, ...).
        wanted: The outputs of the float block on float inputs.
        config: Steps, batch size and learning rate.
        seed: Seed of the choice of batches.
        advance: Called with 1 after each step.
    """
    sizes = tuple(float(np.mean(np.square(y))) + 1e-12 for y in wanted)
    unit = float(np.sqrt(np.mean(sizes)))
    roundings = [Rounding.of(part.get_layer(name), grid, unit) for name, grid in grids.items()]
    step = _step(part, roundings, sizes, config)
    rng = np.random.default_rng(seed)
    for index in range(config.steps):
        batch = rng.integers(0, len(given[0]), config.batch_size)
        done = index / config.steps
        step(
            tuple(x[batch] for x in given),
            tuple(y[batch] for y in wanted),
            np.float32(decidedness(done)),
            np.float32(done > FREE_SHARE),
            np.float32((1 + np.cos(np.pi * done)) / 2),
        )
        advance(1)
    return {rounding.layer.name: rounding.weights() for rounding in roundings}


def _step(
    part: KerasModel, roundings: list[Rounding], sizes: tuple[float, ...], config: BlockRound
) -> Callable[..., None]:
    """Return one gradient step on the rounding, scales and biases of a block, as one traced function."""
    from tflite_compress.support.backend import tensorflow, tf_keras

    tf = tensorflow()
    choices = [r.choice for r in roundings]
    others = [variable for r in roundings for variable in r.others]
    first = tf_keras().optimizers.Adam(config.learning_rate)
    second = tf_keras().optimizers.Adam(config.learning_rate * SMALLER)
    first.build(choices)
    second.build(others)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(
        given: tuple[Tensor, ...], wanted: tuple[Tensor, ...], beta: Tensor, pushed: Tensor, share: Tensor
    ) -> None:
        with tf.GradientTape() as tape:
            ups = [rounding.apply() for rounding in roundings]
            found = tf.nest.flatten(part(list(given) if len(given) > 1 else given[0], training=False))
            error = sum(
                tf.reduce_mean(tf.square(y - w)) / size
                for y, w, size in zip(found, wanted, sizes, strict=True)
            )
            undecided = sum(tf.reduce_mean(1 - tf.pow(tf.abs(2 * up - 1), beta)) for up in ups)
            loss = error + pushed * REGULARIZATION * undecided
        gradients = tape.gradient(loss, [*choices, *others])
        update_weights(first, gradients[: len(choices)], choices)
        second.learning_rate = config.learning_rate * SMALLER * share
        update_weights(second, gradients[len(choices) :], others)

    return cast("Callable[..., None]", step)
