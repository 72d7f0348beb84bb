"""Unroll recurrent layers, so that the converter can calibrate them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from tflite_compress.models.bounded_softmax import with_bounded_scores
from tflite_compress.models.copying import copied
from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import Config, Layer
from tflite_compress.models.masked_recurrence import is_masked, merged, with_explicit_masks
from tflite_compress.models.network import Network
from tflite_compress.support.backend import tensorflow

MAX_UNROLLED_STEPS = 128
STEPWISE = ("RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
_LOOPS = ("GRU", "SimpleRNN")


def unrolled(network: Network, layers: Collection[str] = ()) -> Network:
    """Return a copy with unrolled recurrent layers and explicit masks, for integer quantization.

    The converter makes a loop of a layer that is not unrolled, and crashes when it calibrates a loop. LSTM
    layers become one fused operator and are not changed, unless they have a mask, return a state or take one.
    Layers with more than 128 steps are not changed.

    Args:
        network: The network.
        layers: Names of further layers to unroll; see :func:`recurrent_layers`.
    """
    network = with_bounded_scores(with_explicit_masks(network))
    if not network.editable:
        return network
    if any(_is_stepwise(layer) for layer in network.handle.layers):
        network = replace(network, handle=replay(network.handle, _translate))
    left = recurrent_layers(network)
    chosen = [*(name for name in layers if name in left), *recurrent_layers(network, _LOOPS)]
    chosen += [layer.name for layer in network.handle.layers if _is_masked_stateful(layer)]
    if not chosen:
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


def _inner(layer: Any) -> Any:
    """Return the layer inside Bidirectional, or the layer itself."""
    return getattr(layer, "forward_layer", layer)


def _unrollable(layer: Layer, kinds: tuple[str, ...]) -> bool:
    inner = _inner(layer)
    return type(inner).__name__ in kinds and not inner.unroll and _has_few_steps(layer)


def _is_masked_stateful(layer: Layer) -> bool:
    """Return True for a stateful LSTM with a mask, which tf_keras unrolls with its state."""
    return _unrollable(layer, ("LSTM",)) and _inner(layer).stateful and is_masked(layer)


def _is_stepwise(layer: Layer) -> bool:
    """Return True for a layer that is to be computed step by step."""
    inner = _inner(layer)
    kind = type(inner).__name__
    if kind not in (*_LOOPS, "LSTM", *STEPWISE) or not type(inner).__module__.startswith("tf_keras."):
        return False
    if inner.stateful or getattr(inner, "time_major", False) or getattr(inner, "_num_constants", None):
        return False
    if kind in _LOOPS and not is_masked(layer):
        return False  # tf_keras unrolls them; its masks become SELECT, whose integers share one scale
    if kind == "LSTM" and not (is_masked(layer) or inner.return_state or _takes_state(layer)):
        return False
    return _has_few_steps(layer)


def _has_few_steps(layer: Any) -> bool:
    shape = layer.input_shape
    steps = (shape[0] if isinstance(shape, list) else shape)[1]
    return steps is not None and steps <= MAX_UNROLLED_STEPS


def _takes_state(layer: Layer) -> bool:
    """Return True if a recurrent layer is called with more than its values."""
    return any(len(tensorflow().nest.flatten(node.input_tensors)) > 1 for node in layer._inbound_nodes)


def _translate(call: Call) -> object:
    """Replace the call of a recurrent layer by calls that compute it step by step."""
    from tflite_compress.models.unrolled_layer import Unrolled

    layer: Any = call.layer
    if not hasattr(_inner(layer), "return_sequences") or not _is_stepwise(layer):
        return call.layer(*call.args, **call.kwargs)
    values, states = _values_and_states(call)
    mask = call.kwargs.get("mask")
    if not hasattr(layer, "forward_layer"):
        return Unrolled(layer)(values, initial_state=states, mask=mask)
    half = None if states is None else len(states) // 2
    found = []
    for inner, given in (
        (layer.forward_layer, None if states is None else states[:half]),
        (layer.backward_layer, None if states is None else states[half:]),
    ):
        made = Unrolled(inner, f"{layer.name}/{inner.name}")(values, initial_state=given, mask=mask)
        found.append(made if isinstance(made, list) else [made])
    (forward, *first), (backward, *last) = found
    if layer.forward_layer.return_sequences:
        from tflite_compress.models.mask_layers import Backwards

        backward = Backwards()(backward)
    outputs = merged(layer.merge_mode, forward, backward)
    every = [*(outputs if isinstance(outputs, list) else [outputs]), *first, *last]
    return every if len(every) > 1 else every[0]


def _values_and_states(call: Call) -> tuple[object, list[object] | None]:
    """Return the sequence and the initial states of a call; None for states of zeros."""
    first = call.args[0]
    flat = list(first) if isinstance(first, list | tuple) else [first]
    given = call.args[1] if len(call.args) > 1 else call.kwargs.get("initial_state")
    states = [*flat[1:], *(tensorflow().nest.flatten(given) if given is not None else [])]
    return flat[0], states or None


def _unroll_change(layer: Layer) -> Config:
    config = layer.get_config()
    changes: Config = {}
    for key in ("layer", "backward_layer"):
        if key in config:
            inner = config[key]
            changes[key] = {**inner, "config": {**inner["config"], "unroll": True}}
    return changes or {"unroll": True}
