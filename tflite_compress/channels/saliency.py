"""Saliency of each group of channels: an estimate of how much the model needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.channels.rules import Axis
from tflite_compress.models.keras_types import KerasModel, Tensor, Variable
from tflite_compress.support.backend import tensorflow

Criterion = Literal["taylor", "l1", "l2", "bn_gamma"]
BATCH = 32


def taylor(
    model: KerasModel,
    dependencies: Dependencies,
    inputs: tuple[np.ndarray, ...],
    targets: tuple[np.ndarray, ...],
    rows: np.ndarray,
    losses: Sequence[Callable[[Tensor, Tensor], Tensor]],
    advance: Callable[[int], None],
) -> np.ndarray:
    """Return a first-order estimate of how much the loss changes if a group is removed.

    Molchanov et al., "Importance Estimation for Neural Network Pruning" (arXiv:1906.10771): the squared
    product of a gate and its gradient, summed over small batches. The gates are at the inputs of the layers
    that read a channel. The gradient of a gate is then the sum of weight times gradient over all readers,
    for any activation in between.

    Args:
        model: The traced model, run in inference mode.
        dependencies: Its groups of channels.
        inputs: Samples, one array per input, samples first.
        targets: Target outputs, one array per output, samples first.
        rows: Indices of the samples to use, int64.
        losses: Keras losses, one per output.
        advance: Called with the number of samples of each finished batch.

    Returns:
        float64, shape (groups,).
    """
    tf = tensorflow()
    readers = [(w, axis) for w, axis in _axes(dependencies) if axis.role == "in"]
    variables = [w for w, _ in readers]

    def gates(xs: list[Tensor], ys: list[Tensor]) -> list[Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            outputs = tf.nest.flatten(model(xs if len(xs) > 1 else xs[0], training=False))
            loss = tf.add_n([tf.reduce_mean(f(y, o)) for f, y, o in zip(losses, ys, outputs, strict=True)])
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        return [
            tf.reduce_sum(w * tf.convert_to_tensor(g), [i for i in range(len(w.shape)) if i != a.number])
            for (w, a), g in zip(readers, gradients, strict=True)
        ]

    step = tf.function(gates, autograph=False, reduce_retracing=True)
    total = np.zeros(dependencies.count)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        xs, ys = ([tf.constant(array[batch]) for array in side] for side in (inputs, targets))
        gate = np.zeros(dependencies.count)
        for (_, axis), values in zip(readers, step(xs, ys), strict=True):
            _add(gate, dependencies.groups(axis.labels), values.numpy())
        total += gate**2
        advance(len(xs[0]))
    return total


def from_weights(dependencies: Dependencies, criterion: Criterion) -> np.ndarray:
    """Return the saliency of each group, computed from the weights without data.

    Each layer's values are divided by their mean, because the magnitude of weights differs between layers.

    Args:
        dependencies: The groups of channels of the model.
        criterion: ``l1`` or ``l2``: the norm of the filters that produce a channel (Li et al., "Pruning
            Filters for Efficient ConvNets", arXiv:1608.08710). ``bn_gamma``: the scale of the BatchNorm (Liu
            et al., "Network Slimming", arXiv:1708.06519), or ``l1`` for channels without a BatchNorm.

    Returns:
        float64, shape (groups,).
    """
    total, gammas = np.zeros(dependencies.count), np.zeros(dependencies.count)
    power = 2 if criterion == "l2" else 1
    for weight, axis in _axes(dependencies):
        values = np.moveaxis(np.abs(weight.numpy()), axis.number, 0)
        groups = dependencies.groups(axis.labels)
        if axis.role == "out" and values.ndim > 1:
            norm = (values.reshape(len(values), -1) ** power).sum(axis=1)
            norm = norm ** (1 / power) / max(float(norm.mean()) ** (1 / power), 1e-12)
            _add(total, groups, norm)
        elif "gamma" in weight.name:
            _add(gammas, groups, values / max(float(values.mean()), 1e-12))
    return np.where(gammas > 0, gammas, total) if criterion == "bn_gamma" else total


def _axes(dependencies: Dependencies) -> Iterator[tuple[Variable, Axis]]:
    """Yield each weight and labelled axis that contains at least one group."""
    for found in dependencies.layers:
        for weight, axes in zip(found.layer.weights, found.weights, strict=True):
            for axis in axes:
                if (dependencies.groups(axis.labels) >= 0).any():
                    yield weight, axis


def _add(total: np.ndarray, groups: np.ndarray, values: np.ndarray) -> None:
    """Add each entry's value to the total of its group. Entries without a group are ignored."""
    free = groups >= 0
    np.add.at(total, groups[free], values[free])
