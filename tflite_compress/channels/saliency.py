"""How much each bundle of channels matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.channels.rules import Axis
from tflite_compress.support.backend import tensorflow

Criterion = Literal["taylor", "l1", "l2", "bn_gamma"]
BATCH = 32


def taylor(
    model: Any,
    dependencies: Dependencies,
    inputs: tuple[np.ndarray, ...],
    targets: tuple[np.ndarray, ...],
    losses: list[Callable[[Any, Any], Any]],
    advance: Callable[[int], None],
) -> np.ndarray:
    """First-order estimate of how the loss changes without each bundle.

    Molchanov et al., "Importance Estimation for Neural Network Pruning" (arXiv:1906.10771): the squared
    product of a gate and its gradient, averaged over small batches. The gate sits where channels are
    read: its gradient is the sum of weight times gradient over everything that reads the channel, which
    holds whatever activation lies between.

    Args:
        model: The traced model, run in inference mode.
        dependencies: Its channels.
        inputs: Samples, one array for each input.
        targets: What the model should answer, one array for each output.
        losses: Keras losses, one for each output.
        advance: Called with the samples done.

    Returns:
        float64, shape (bundles,).
    """
    tf = tensorflow()
    readers = [(w, axis) for w, axis in _axes(dependencies) if axis.role == "in"]
    variables = [w for w, _ in readers]

    def gates(xs: list[Any], ys: list[Any]) -> list[Any]:
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
    for start in range(0, len(inputs[0]), BATCH):
        xs = [tf.constant(x[start : start + BATCH]) for x in inputs]
        ys = [tf.constant(y[start : start + BATCH]) for y in targets]
        gate = np.zeros(dependencies.count)
        for (_, axis), values in zip(readers, step(xs, ys), strict=True):
            _add(gate, dependencies.bundles(axis.labels), values.numpy())
        total += gate**2
        advance(len(xs[0]))
    return total


def from_weights(dependencies: Dependencies, criterion: Criterion) -> np.ndarray:
    """Saliency from the weights alone.

    ``l1``: Li et al., "Pruning Filters for Efficient ConvNets" (arXiv:1608.08710), the norm of the filters
    that make a channel; ``l2`` likewise; ``bn_gamma``: Liu et al., "Network Slimming" (arXiv:1708.06519), the
    BatchNorm scale, with ``l1`` where there is no BatchNorm. Each layer's values are divided by their mean,
    as layers differ in the size of their weights.

    Returns:
        float64, shape (bundles,).
    """
    total, gammas = np.zeros(dependencies.count), np.zeros(dependencies.count)
    power = 2 if criterion == "l2" else 1
    for weight, axis in _axes(dependencies):
        values = np.moveaxis(np.abs(weight.numpy()), axis.number, 0)
        bundles = dependencies.bundles(axis.labels)
        if axis.role == "out" and values.ndim > 1:
            norm = (values.reshape(len(values), -1) ** power).sum(axis=1)
            norm = norm ** (1 / power) / max(float(norm.mean()) ** (1 / power), 1e-12)
            _add(total, bundles, norm)
        elif "gamma" in weight.name:
            _add(gammas, bundles, values / max(float(values.mean()), 1e-12))
    return np.where(gammas > 0, gammas, total) if criterion == "bn_gamma" else total


def _axes(dependencies: Dependencies) -> Iterator[tuple[Any, Axis]]:
    """Every labelled axis, with its weight, that some bundle is in."""
    for found in dependencies.layers:
        for weight, axes in zip(found.layer.weights, found.weights, strict=True):
            for axis in axes:
                if (dependencies.bundles(axis.labels) >= 0).any():
                    yield weight, axis


def _add(total: np.ndarray, bundles: np.ndarray, values: np.ndarray) -> None:
    """Add each entry's value to its bundle; entries that stay count for nothing."""
    free = bundles >= 0
    np.add.at(total, bundles[free], values[free])
