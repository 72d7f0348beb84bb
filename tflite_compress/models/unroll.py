"""Unroll recurrent layers, so that the converter can calibrate them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from tflite_compress.models.bounded_softmax import with_bounded_scores
from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import Config, Layer
from tflite_compress.models.masked_recurrence import with_explicit_masks
from tflite_compress.models.network import Network

MAX_UNROLLED_STEPS = 128
_LOOPS = ("GRU", "SimpleRNN")


def unrolled(network: Network, layers: Collection[str] = ()) -> Network:
    """Return a copy with unrolled GRU and SimpleRNN layers and explicit masks, for integer quantization.

    The converter makes a loop of a layer that is not unrolled, and crashes when it calibrates a loop. LSTM
    layers become one fused operator and are not changed. Layers with more than 128 steps are not changed.

    Args:
        network: The network.
        layers: Names of further layers to unroll; see :func:`recurrent_layers`.
    """
    network = with_bounded_scores(with_explicit_masks(network))
    chosen = [*layers, *recurrent_layers(network, _LOOPS)]
    if not chosen or not network.editable:
        return network
    handle = copied(network.handle, lambda layer: _unroll_change(layer) if layer.name in chosen else {})
    return replace(network, handle=handle)


def recurrent_layers(network: Network, kinds: tuple[str, ...] = (*_LOOPS, "LSTM")) -> list[str]:
    """Return the names of the recurrent layers of up to 128 steps that are not unrolled.

    Args:
        network: The network; one that cannot be edited has none.
        kinds: Classes of layers to look for, alone or in Bidirectional.
    """
    if not network.editable:
        return []
    return [layer.name for layer in network.handle.layers if _unrollable(layer, kinds)]


def _unrollable(layer: Any, kinds: tuple[str, ...]) -> bool:
    recurrent = getattr(layer, "forward_layer", layer)  # the layer inside Bidirectional
    if type(recurrent).__name__ not in kinds or recurrent.unroll:
        return False
    shape = layer.input_shape
    steps = (shape[0] if isinstance(shape, list) else shape)[1]
    return steps is not None and steps <= MAX_UNROLLED_STEPS


def _unroll_change(layer: Layer) -> Config:
    config = layer.get_config()
    changes: Config = {}
    for key in ("layer", "backward_layer"):
        if key in config:
            inner = config[key]
            changes[key] = {**inner, "config": {**inner["config"], "unroll": True}}
    return changes or {"unroll": True}
