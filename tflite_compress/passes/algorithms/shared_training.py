"""Layers that learn with a few values in place of their weights.

Such a layer learns its weights, the values and the scales of its channels. It computes with the integers that
a file holds for the values. Gradients pass through this rounding, and those of the values also move the
weights behind them (straight-through estimator), so that a weight can change to another value. Importing this
module imports TensorFlow, which its base class needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.models.keras_types import Layer, Tensor
from tflite_compress.passes.algorithms.shared_values import SharedValues
from tflite_compress.support.backend import tensorflow, tf_keras
from tflite_compress.tflite.levels import LEVELS, SharedKernel

# A constant, because AutoGraph rewrites the functions that a layer calls.
tf: Any = tensorflow()
_Wrapper: Any = tf_keras().layers.Wrapper

# Classes whose output channels, on the kernel's last axis, have scales of their own in a file.
PER_CHANNEL = ("Conv1D", "Conv2D", "Dense", "SeparableConv1D", "SeparableConv2D")


class SharedLayer(_Wrapper):  # type: ignore[misc]
    """A layer that computes with shared values in place of a weight.

    Args:
        layer: A built layer, which becomes part of the new one.
        weight: Name of the attribute that holds the weight.
        scales: What the weights are divided by before they are compared with the values.
        shared: The values to begin with.
        keep_zeros: Weights that are 0 stay 0.
    """

    def __init__(
        self, layer: Layer, weight: str, scales: np.ndarray, shared: SharedValues, keep_zeros: bool
    ) -> None:
        super().__init__(layer, name=layer.name)
        self._weight, self._shared = weight, shared
        self._scales = np.asarray(scales, np.float32)
        self._values = self.add_weight(
            name="values", shape=shared.values.shape, initializer=_constant(shared.values)
        )
        self._gains = self.add_weight(
            name="gains", shape=self._scales.shape, initializer=_constant(self._best_gains())
        )
        kernel = self._variable().numpy()
        self._mask = (kernel != 0).astype(np.float32) if keep_zeros and (kernel == 0).any() else None
        self.built = True

    def _variable(self) -> Any:
        return getattr(self.layer, self._weight)

    def _best_gains(self) -> np.ndarray:
        """Return the factors of the scales with the smallest error."""
        weights = self._variable().numpy() / self._scales
        near = self._shared.values[self._shared.nearest(weights)]
        axes = tuple(range(weights.ndim - 1)) if self._scales.ndim else None
        found = (weights * near).sum(axis=axes) / np.maximum((near * near).sum(axis=axes), 1e-12)
        return np.asarray(np.where(found > 0, found, 1.0))

    def call(self, inputs: object, training: object = None, **kwargs: object) -> object:
        """Compute the layer with the values in place of its weight."""
        variable = self._variable()
        object.__setattr__(self.layer, self._weight, self._computed())  # Keras would forget the variable
        try:
            outputs: object = self.layer.call(inputs, **kwargs)
        finally:
            object.__setattr__(self.layer, self._weight, variable)
        return outputs

    def _computed(self) -> Any:
        values = self._values * (self._shared.values != 0)
        weights = self._variable() / self._scales
        unit = tf.stop_gradient(_unit(values))
        rounded = values + tf.stop_gradient(tf.round(values / unit) * unit - values)
        near = tf.gather(rounded, self._indices(values, weights))
        near += weights - tf.stop_gradient(weights)
        masked = near if self._mask is None else near * self._mask
        return masked * (self._scales * self._gains)

    def _indices(self, values: Any, weights: Any) -> Any:
        thresholds = (values[1:] + values[:-1]) / 2 + self._shared.offsets.astype(np.float32)
        flat = tf.searchsorted(thresholds, tf.reshape(weights, [-1]))
        return tf.stop_gradient(tf.reshape(flat, tf.shape(weights)))

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self._shared.values)

    def learned(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values, the index of each weight, and scales."""
        values = self._values.numpy() * (self._shared.values != 0)
        indices = self._indices(tf.constant(values), self._variable() / self._scales).numpy()
        if self._mask is not None:
            indices = np.where(self._mask == 0, int(np.flatnonzero(self._shared.values == 0)[0]), indices)
        return values, indices, np.asarray(self._scales * self._gains.numpy(), np.float64)


def shared_kernel(trained: SharedLayer) -> SharedKernel:
    """Return what a layer has learned, with values rounded to integers."""
    values, indices, scales = trained.learned()
    unit = float(np.asarray(_unit(values)))
    scales = scales * unit
    return SharedKernel((np.rint(values / unit)[indices] * scales).astype(np.float32), scales)


def _unit(values: Tensor | np.ndarray) -> Tensor:
    """Return the float32 value that becomes the integer 1, shape ()."""
    largest = tf.reduce_max(tf.abs(values))
    unit: Tensor = tf.where(largest > 0, largest / LEVELS, 1.0)
    return unit


def _constant(values: np.ndarray) -> object:
    made: object = tf_keras().initializers.Constant(np.asarray(values, np.float32))
    return made
