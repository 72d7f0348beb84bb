"""Unroll recurrent layers, so that the converter can calibrate them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tflite_compress.models.bounded_softmax import with_bounded_scores
from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import Config, Layer
from tflite_compress.models.masked_recurrence import with_explicit_masks
from tflite_compress.models.network import Network

MAX_UNROLLED_STEPS = 128


def unrolled(network: Network) -> Network:
    """Return a copy with unrolled GRU and SimpleRNN layers and explicit masks, for integer quantization.

    The converter makes a loop of a layer that is not unrolled, and crashes when it calibrates a loop. LSTM
    layers become one fused operator and are not changed. Layers with more than 128 steps are not changed.
    """
    network = with_bounded_scores(with_explicit_masks(network))
    if not network.editable or not any(_unrollable(layer) for layer in network.handle.layers):
        return network
    handle = copied(network.handle, lambda layer: _unroll_change(layer) if _unrollable(layer) else {})
    return replace(network, handle=handle)


def _unrollable(layer: Any) -> bool:
    recurrent = getattr(layer, "forward_layer", layer)  # the layer inside Bidirectional
    if type(recurrent).__name__ not in ("GRU", "SimpleRNN") or recurrent.unroll:
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
