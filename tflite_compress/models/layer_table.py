"""The layers of a network, for attributing the operators of its ``.tflite`` to them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tflite_compress.models.keras_types import Layer
from tflite_compress.models.network import Network
from tflite_compress.tflite.layer_names import KerasLayer, LayerTable

QAT_PREFIX = "quant_"  # TF-MOT's quantize wrapper puts it before the name of a layer


def layer_table(network: Network) -> LayerTable:
    """Return the layers of a network with the sizes of their weights; empty for a SavedModel signature.

    Args:
        network: The network. Layers of nested models stand for themselves.
    """
    return LayerTable(
        {
            layer.name: KerasLayer(layer.name.removeprefix(QAT_PREFIX), _kernel_sizes(layer))
            for layer in _leaf_layers(network.handle)
        }
    )


def _leaf_layers(model: object) -> Iterator[Layer]:
    """Yield the layers of a model; a nested model yields its layers, not itself."""
    for layer in getattr(model, "layers", ()):
        if getattr(layer, "layers", None):
            yield from _leaf_layers(layer)
        else:
            yield layer


def _kernel_sizes(layer: Layer) -> frozenset[int]:
    return frozenset(math.prod(w.shape) for w in layer.weights if len(w.shape) > 1)
