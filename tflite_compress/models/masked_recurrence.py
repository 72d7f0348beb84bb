"""Recurrent layers on masked sequences without a loop.

With a mask, tf_keras computes a recurrent layer in a loop, because a masked step keeps the state. The same
outputs follow without a loop: the steps that are not masked move to the front, the layer runs on them
without a mask, and each masked step repeats the output before it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import Layer, RecurrentLayer, Tensor
from tflite_compress.models.network import Network
from tflite_compress.support.backend import tensorflow, tf_keras

RECURRENT = ("LSTM", "GRU", "SimpleRNN")


def with_explicit_masks(network: Network) -> Network:
    """Return the network with masks of recurrent layers as part of the graph; outputs are equal.

    Layers that keep a state between calls, return or take a state, and layers of other classes are unchanged.

    Args:
        network: A network with fixed numbers of steps.
    """
    if not network.editable or not any(is_masked(layer) for layer in network.handle.layers):
        return network
    return replace(network, handle=replay(network.handle, _translate))


def is_masked(layer: Layer) -> bool:
    """Return True for a recurrent layer that computes with a mask in the model it is part of."""
    if not hasattr(getattr(layer, "forward_layer", layer), "return_sequences"):
        return False
    for node in layer._inbound_nodes:
        tensors = tensorflow().nest.flatten(node.input_tensors)
        given = node.call_kwargs.get("mask") is not None
        if given or any(getattr(x, "_keras_mask", None) is not None for x in tensors[:1]):
            return True
    return False


def _translate(call: Call) -> object:
    from tflite_compress.models import mask_layers

    mask = _mask(call)
    if mask is None or not _is_supported(call, mask):
        return call.layer(*call.args, **call.kwargs)
    layer: Any = call.layer
    values = call.args[0]
    if type(layer).__name__ != "Bidirectional":
        outputs = _run(layer, layer.name, values, mask)
    else:
        names = [f"{layer.name}/{inner.name}" for inner in (layer.forward_layer, layer.backward_layer)]
        forward = _run(layer.forward_layer, names[0], values, mask)
        backward = _run(layer.backward_layer, names[1], values, mask)
        if layer.forward_layer.return_sequences:
            backward = mask_layers.Backwards()(backward)
        outputs = merged(layer.merge_mode, forward, backward)
    if not getattr(layer, "forward_layer", layer).return_sequences:
        return outputs
    if isinstance(outputs, list):
        return [mask_layers.WithMask()([x, mask]) for x in outputs]
    return mask_layers.WithMask()([outputs, mask])


def _mask(call: Call) -> Tensor | None:
    """Return the mask of a call as a graph tensor; None if it has none or the layer is not recurrent."""
    from tflite_compress.models.mask_layers import mask_tensor

    layer = getattr(call.layer, "forward_layer", call.layer)
    if type(layer).__name__ not in RECURRENT or not hasattr(call.args[0], "_keras_history"):
        return None
    given = call.kwargs.get("mask")
    return mask_tensor(call.args[0]) if given is None else given


def _is_supported(call: Call, mask: Tensor) -> bool:
    """Return True if the layer's outputs follow from its outputs on the steps that are not masked."""
    outer: Any = call.layer
    inner = [outer.forward_layer, outer.backward_layer] if hasattr(outer, "forward_layer") else [outer]
    plain = all(not (x.stateful or x.return_state or x.time_major) for x in inner)
    known = all(type(x).__name__ in RECURRENT for x in inner) and mask.shape[1] is not None
    return plain and known and not (call.args[1:] or set(call.kwargs) - {"mask", "training"})


def _run(layer: RecurrentLayer, name: str, values: object, mask: object) -> object:
    """Run one direction of a layer without a mask; a layer that goes backwards gives its order of steps."""
    from tflite_compress.models import mask_layers

    if layer.go_backwards:
        values, mask = mask_layers.Backwards()(values), mask_layers.Backwards()(mask)
    compact = mask_layers.Compact()([values, mask])
    changes = {"name": name, "return_sequences": True, "go_backwards": False, "zero_output_for_mask": False}
    copy = type(layer).from_config({**layer.get_config(), **changes})
    found = copy(compact)
    copy.set_weights(layer.get_weights())
    zero = bool(layer.zero_output_for_mask)
    return mask_layers.Spread(not layer.return_sequences, zero)([found, mask])


def merged(mode: str | None, forward: object, backward: object) -> object:
    """Return the outputs of both directions as Bidirectional merges them; a list if it does not."""
    layers = tf_keras().layers
    if mode is None:
        return [forward, backward]
    merge = {"concat": layers.Concatenate, "sum": layers.Add, "mul": layers.Multiply, "ave": layers.Average}
    return merge[mode]()([forward, backward])
