"""Masks as tensors of a tf_keras graph.

tf_keras attaches a mask to a tensor without recording how it was computed, so that such a mask cannot be an
argument of another layer. These layers compute it again as part of the graph.

Importing this module imports TensorFlow, which its base class needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tflite_compress.models.keras_types import Config, Layer, Tensor
from tflite_compress.support.backend import tensorflow, tf_keras

# A constant, because AutoGraph rewrites the functions that a layer calls, which takes long for the one that
# imports TensorFlow.
tf = tensorflow()
_Layer: Any = tf_keras().layers.Layer


class MaskOf(_Layer):  # type: ignore[misc]
    """Computes the mask of another layer's output, bool, shape (batch, steps).

    Args:
        source: The layer, or its class and settings.
        name: This layer's name.
    """

    def __init__(self, source: Layer | Config, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        layer = tf_keras().layers.deserialize(source) if isinstance(source, dict) else source
        self._source: Callable[[], Layer] = lambda: (
            layer
        )  # Keras does not track functions, so this layer has no weights

    def call(
        self, tensors: list[Tensor] | Tensor, masks: list[Tensor | None] | Tensor | None = None
    ) -> object:
        """Return the mask for the inputs of the layer and their masks; clones give a single input as such."""
        first = masks[0] if isinstance(masks, list) else masks
        if not isinstance(tensors, list):
            return self._source().compute_mask(tensors, first)
        if len(tensors) == 1:
            return self._source().compute_mask(tensors[0], first)
        return self._source().compute_mask(tensors, [None] * len(tensors) if masks is None else masks)

    def get_config(self) -> Config:
        """Return the layer's class and settings, on which its mask depends, not on its weights."""
        return {"source": tf_keras().layers.serialize(self._source()), "name": self.name}


class WithMask(_Layer):  # type: ignore[misc]
    """Returns its first input, whose mask is the second."""

    def call(self, tensors: list[Tensor]) -> object:
        """Return the tensor unchanged."""
        return tf.identity(tensors[0])

    def compute_mask(self, inputs: list[Tensor], mask: object = None) -> object:
        """Return the mask, which is the second input."""
        return inputs[1]


class WithoutMask(_Layer):  # type: ignore[misc]
    """Returns its input without a mask."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.supports_masking = True

    def call(self, tensor: Tensor) -> object:
        """Return the tensor unchanged."""
        return tf.identity(tensor)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Return None."""
        return


class Compact(_Layer):  # type: ignore[misc]
    """Moves the steps that are not masked to the front, in order; zeros follow. Shape (batch, steps, n)."""

    def call(self, tensors: list[Tensor]) -> object:
        """Return the first input compacted by the second, its mask."""
        values, mask = tensors[0], tf.cast(tensors[1], tf.bool)
        chosen = tf.cast(tf.logical_and(_equal_places(mask), tf.expand_dims(mask, 1)), values.dtype)
        return tf.matmul(chosen, values)


class Spread(_Layer):  # type: ignore[misc]
    """Undoes :class:`Compact`: a masked step repeats the step before it, zeros if there is none.

    Args:
        last: Return the last step only, shape (batch, n).
        zero: Return zeros for masked steps instead.
        name: The layer's name.
    """

    def __init__(self, last: bool = False, zero: bool = False, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.last, self.zero = last, zero

    def call(self, tensors: list[Tensor]) -> object:
        """Return the first input, the compacted outputs of a layer, spread by the second, the mask."""
        values, mask = tensors[0], tf.cast(tensors[1], tf.bool)
        moves = _equal_places(mask, by_step=True)
        if self.zero and not self.last:
            moves = tf.logical_and(moves, tf.expand_dims(mask, 2))
        if self.last:
            return tf.matmul(tf.cast(moves[:, -1:], values.dtype), values)[:, 0]
        return tf.matmul(tf.cast(moves, values.dtype), values)

    def get_config(self) -> Config:
        """Return the settings."""
        return {"last": self.last, "zero": self.zero, "name": self.name}


class MaskedMean(_Layer):  # type: ignore[misc]
    """Averages the steps that are not masked; 0 where all are, for which Keras gives NaN.

    Args:
        axis: Axis of the steps: 1, or 2 for channels first.
        keepdims: Keep the axis of the steps.
        name: The layer's name.
    """

    def __init__(self, axis: int = 1, keepdims: bool = False, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.axis, self.keepdims = axis, keepdims

    def call(self, tensors: list[Tensor]) -> object:
        """Return the means of the first input, whose mask is the second, shape (batch, steps)."""
        kept = tf.expand_dims(tf.cast(tensors[1], tensors[0].dtype), 3 - self.axis)
        count = tf.maximum(tf.reduce_sum(kept, self.axis, keepdims=self.keepdims), 1.0)
        return tf.reduce_sum(tensors[0] * kept, self.axis, keepdims=self.keepdims) / count

    def get_config(self) -> Config:
        """Return the settings."""
        return {"axis": self.axis, "keepdims": self.keepdims, "name": self.name}


class Backwards(_Layer):  # type: ignore[misc]
    """Reverses the steps, axis 1."""

    def call(self, tensor: Tensor) -> object:
        """Return the tensor reversed."""
        if tensor.dtype != tf.bool:
            return tf.reverse(tensor, [1])
        return tf.cast(tf.reverse(tf.cast(tensor, tf.int32), [1]), tf.bool)


def custom_objects() -> dict[str, type]:
    """Return the layers of this module by name, for copies that libraries make from a configuration."""
    return {
        name: made for name, made in globals().items() if isinstance(made, type) and issubclass(made, _Layer)
    }


def _equal_places(mask: Tensor, by_step: bool = False) -> Any:
    """Return which place each step moves to, bool, shape (batch, places, steps).

    A masked step has the place of the step before it.
    The running count is made of shifts and sums of int32, which TFLite Micro has; it has no CUMSUM of int32.

    Args:
        mask: Bool, shape (batch, steps).
        by_step: Return shape (batch, steps, places).
    """
    count = tf.cast(mask, tf.int32)
    steps, shift = int(count.shape[1]), 1
    while shift < steps:
        count += tf.pad(count[:, :-shift], [[0, 0], [shift, 0]])
        shift *= 2
    places = tf.range(1, steps + 1)
    found, wanted = (
        (tf.expand_dims(count, 2), places) if by_step else (tf.expand_dims(count, 1), places[:, None])
    )
    return tf.logical_not(tf.cast(found - wanted, tf.bool))  # int16x8 conversion fails on EQUAL of int32


def mask_tensor(tensor: Any) -> Tensor | None:
    """Return the mask of a graph tensor as a graph tensor, or None if it has none.

    Args:
        tensor: An output of a layer in a functional tf_keras model.
    """
    if getattr(tensor, "_keras_mask", None) is None:
        return None
    known: Tensor | None = getattr(tensor, "_tflite_compress_mask", None)
    if known is not None:
        return known
    history = tensor._keras_history
    node = history.layer._inbound_nodes[history.node_index]
    inputs = tf.nest.flatten(node.input_tensors)
    if isinstance(history.layer, WithMask):
        return inputs[1]  # type: ignore[no-any-return]
    masks = [mask_tensor(x) for x in inputs]
    layer = MaskOf(history.layer)
    found: Tensor = layer(inputs) if all(m is None for m in masks) else layer(inputs, masks=masks)
    tensor._tflite_compress_mask = found
    return found
