"""Bring the outputs of a smaller network's blocks closer to the original's; see ``oneshot_channels``.

Solving for a layer leaves the filters before it as they are. Here the weights of all layers of a block change
together, by a few hundred gradient steps on the block's outputs, with the inputs that the blocks before it
give after their change. Li et al., "BRECQ" (arXiv:2102.05426), reconstruct blocks in this way for rounded
weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from tflite_compress.models.keras_types import KerasModel, Layer, Tensor, Variable
from tflite_compress.models.wiring import wiring
from tflite_compress.passes.algorithms.batch_order import BatchOrder
from tflite_compress.passes.algorithms.block_rounding import inputs_of, kernel_name, outputs_of, part_of
from tflite_compress.passes.algorithms.blocks import Block, find_blocks
from tflite_compress.passes.algorithms.learned_rounding import LEARNED
from tflite_compress.passes.algorithms.weight_update import update_weights

if TYPE_CHECKING:
    from tflite_compress.channels.dependencies import Dependencies
    from tflite_compress.passes.base import Context

BLOCK_LAYERS = 4  # neighbouring blocks are joined up to this number of layers
BATCH = 32
# Learning rate of Adam, as a share of the standard deviation of a layer's weights. Where a block's outputs
# differ little, weights must change little: then it is a share of the block's relative error.
MAX_RATE, RATE = 0.02, 0.1
MIN_ERROR = 1e-5  # relative error of a block from which nothing can be gained
JUDGED = 256  # other samples, to judge each block by
MAX_BYTES = 256 << 20  # of the outputs of a block

Arrays = tuple[np.ndarray, ...]
Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Learned:
    """A layer whose weights change.

    Attributes:
        layer: The layer, in a copy of its block.
        start: Its weights before.
        unit: Standard deviation of its kernel.
        changes: Change of each weight, in units.
    """

    layer: Layer
    start: list[np.ndarray]
    unit: np.float32
    changes: list[Variable]

    @classmethod
    def of(cls, layer: Layer) -> Learned:
        """Return the start: nothing is changed."""
        from tflite_compress.support.backend import tensorflow

        tf, start = tensorflow(), layer.get_weights()
        changes = [tf.Variable(np.zeros_like(weight)) for weight in start]
        return cls(layer, start, np.float32(np.std(start[0]) or 1.0), changes)

    def apply(self) -> None:
        """Put the weights as tensors into the layer."""
        names = (kernel_name(self.layer), "bias")
        for name, start, change in zip(names, self.start, self.changes, strict=False):
            setattr(self.layer, name, start + self.unit * change)

    def weights(self) -> list[np.ndarray]:
        """Return the weights as arrays."""
        pairs = zip(self.start, self.changes, strict=True)
        return [start + self.unit * change.numpy() for start, change in pairs]


@dataclass(frozen=True, eq=False)
class Samples:
    """Values at the start or end of a block: of samples to learn from, and of others to judge by."""

    learning: Arrays
    judging: Arrays

    def through(self, part: KerasModel) -> Samples:
        """Return the outputs of a part of a network."""
        return Samples(outputs_of(part, self.learning), outputs_of(part, self.judging))

    def only(self, channels: np.ndarray) -> Samples:
        """Return some channels."""
        learning, judging = (
            tuple(x[..., channels] for x in values) for values in (self.learning, self.judging)
        )
        return Samples(learning, judging)


def reconstruct_blocks(
    original: KerasModel,
    smaller: KerasModel,
    cut: tuple[Dependencies, np.ndarray],
    samples: Samples,
    steps: int,
    context: Context,
) -> None:
    """Change the weights of a network without some channels, block by block.

    A block is changed only if that brings its outputs closer to the original's on other samples.

    Args:
        original: A tf_keras model with all channels; unchanged.
        smaller: The model without the channels; changed in place.
        cut: The channels of the original; and bool, shape (groups,): True for groups that stay.
        samples: Inputs of the network.
        steps: Gradient steps per block.
        context: Seed, progress and time that is left.
    """
    shared = wiring(smaller).shared
    names = [x.name for x in smaller.layers if type(x).__name__ in LEARNED and x.name not in shared]
    blocks = find_blocks(smaller, names, BLOCK_LAYERS)
    given = wanted = _start(samples, original, blocks)
    with context.progress.step("reconstructing blocks", len(blocks) * steps) as advance:
        for index, block in enumerate(blocks):
            if context.budget.is_used:
                context.budget.cut(f"reconstruction stopped after {index} of {len(blocks)} blocks")
                return
            is_last = index == len(blocks) - 1
            wanted = wanted.through(part_of(original, block, is_last))
            target = wanted
            if block.exit in cut[0].outputs:
                target = wanted.only(cut[0].kept(cut[0].outputs[block.exit], cut[1]))
            part = part_of(smaller, block, is_last)
            found = given.through(part)
            if (error := _error(found.learning, target.learning)) > MIN_ERROR:
                schedule = (steps, min(MAX_RATE, RATE * error))
                layers = learned(
                    part, block.names, given.learning, target.learning, schedule, context.seed, advance
                )
                found = _keep_if_closer(smaller, block, is_last, layers, given, found, target)
            given = found


def _keep_if_closer(
    smaller: KerasModel,
    block: Block,
    is_last: bool,
    layers: list[Learned],
    given: Samples,
    found: Samples,
    target: Samples,
) -> Samples:
    """Put the weights of a block into the network if they help, and return the outputs of the block."""
    before = {layer.layer.name: smaller.get_layer(layer.layer.name).get_weights() for layer in layers}
    for layer in layers:
        smaller.get_layer(layer.layer.name).set_weights(layer.weights())
    changed = given.through(part_of(smaller, block, is_last))
    if _error(changed.judging, target.judging) < _error(found.judging, target.judging):
        return changed
    for name, weights in before.items():
        smaller.get_layer(name).set_weights(weights)
    return found


def learned(
    part: KerasModel,
    names: tuple[str, ...],
    given: Arrays,
    wanted: Arrays,
    schedule: tuple[int, float],
    seed: int,
    advance: Advance,
) -> list[Learned]:
    """Return the layers of a block with weights for which its outputs are close to others.

    Args:
        part: A copy of the block; it is used up.
        names: The layers whose weights change.
        given: The inputs of the block, one array for each, shape (samples, ...).
        wanted: The outputs to come close to.
        schedule: Gradient steps, and the learning rate of the first.
        seed: Seed of the choice of batches.
        advance: Called with 1 after each step.
    """
    layers = [Learned.of(part.get_layer(name)) for name in names]
    step = _step(part, layers, tuple(map(_size, wanted)))
    steps, highest = schedule
    order = BatchOrder(len(given[0]), min(BATCH, len(given[0])), seed)
    for index, chosen in enumerate(order.rows(0, steps)):
        rate = highest * (1 + np.cos(np.pi * index / steps)) / 2
        step(tuple(x[chosen] for x in given), tuple(y[chosen] for y in wanted), np.float32(rate))
        advance(1)
    return layers


def _step(part: KerasModel, layers: list[Learned], sizes: tuple[float, ...]) -> Callable[..., None]:
    """Return one gradient step on the weights of a block, as one traced function."""
    from tflite_compress.support.backend import tensorflow, tf_keras

    tf = tensorflow()
    changes = [change for layer in layers for change in layer.changes]
    optimizer = tf_keras().optimizers.Adam(MAX_RATE)
    optimizer.build(changes)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(given: tuple[Tensor, ...], wanted: tuple[Tensor, ...], rate: Tensor) -> None:
        with tf.GradientTape() as tape:
            for layer in layers:
                layer.apply()
            found = tf.nest.flatten(part(list(given) if len(given) > 1 else given[0], training=False))
            error = tf.add_n(
                [
                    tf.reduce_mean(tf.square(y - w)) / size
                    for y, w, size in zip(found, wanted, sizes, strict=True)
                ]
            )
        optimizer.learning_rate = rate
        update_weights(optimizer, tape.gradient(error, changes), changes)

    return cast("Callable[..., None]", step)


def _size(values: np.ndarray) -> float:
    """Return the variance of outputs over samples; where they hardly vary, a share of their square."""
    return max(float(np.mean(np.var(values, axis=0))), 1e-3 * float(np.mean(np.square(values)))) + 1e-12


def _error(found: Arrays, wanted: Arrays) -> float:
    """Return the relative error of outputs: root mean square error, as a share of their size."""
    pairs = zip(found, wanted, strict=True)
    return max(float(np.sqrt(np.mean((a - b) ** 2) / _size(b))) for a, b in pairs)


def _start(samples: Samples, model: KerasModel, blocks: list[Block]) -> Samples:
    """Return the inputs of the first block, of as many samples as fit in memory at the end of each block."""
    tensors = [tensor for block in blocks for tensor in block.exit_of(model)]
    largest = max(int(np.prod([size or 1 for size in tensor.shape[1:]])) for tensor in tensors)
    count = max(BATCH, MAX_BYTES // (4 * largest))
    learning = tuple(x[:count] for x in samples.learning)
    judging = tuple(x[: min(count, JUDGED)] for x in samples.judging)
    return Samples(inputs_of(model, blocks[0], learning), inputs_of(model, blocks[0], judging))
