"""Masks as tensors of a tf_keras graph.

tf_keras attaches a mask to a tensor without recording how it was computed, so that such a mask cannot be an
argument of another layer. These layers compute it again as part of the graph.

Importing this module imports TensorFlow, which its base class needs.
"""

from __future__ import annotations

from typing import Any

from tflite_compress.models.keras_types import Config
from tflite_compress.support.backend import tensorflow, tf_keras

_Layer: Any = tf_keras().layers.Layer


class MaskOf(_Layer):  # type: ignore[misc]
    """Computes the mask of another layer's output, bool, shape (batch, steps).

    Args:
        layer: The layer.
        name: This layer's name.
    """

    def __init__(self, layer: Any, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self._source = [layer]  # in a list, so that its weights are not this layer's

    def call(self, tensors: list[Any], masks: list[Any] | None = None) -> object:
        """Return the mask for the inputs of the layer and their masks."""
        given = masks or [None] * len(tensors)
        single = len(tensors) == 1
        found: object = self._source[0].compute_mask(
            tensors[0] if single else tensors, given[0] if single else given
        )
        return found

    def get_config(self) -> Config:
        """Return the live layer: masks are copied in memory, never saved."""
        return {"layer": self._source[0], "name": self.name}


def mask_tensor(tensor: Any) -> Any:
    """Return the mask of a graph tensor as a graph tensor, or None if it has none.

    Args:
        tensor: An output of a layer in a functional tf_keras model.
    """
    if getattr(tensor, "_keras_mask", None) is None:
        return None
    known = getattr(tensor, "_tflite_compress_mask", None)
    if known is not None:
        return known
    history = tensor._keras_history
    node = history.layer._inbound_nodes[history.node_index]
    inputs = tensorflow().nest.flatten(node.input_tensors)
    masks = [mask_tensor(x) for x in inputs]
    layer = MaskOf(history.layer)
    found = layer(inputs) if all(m is None for m in masks) else layer(inputs, masks=masks)
    tensor._tflite_compress_mask = found
    return found
