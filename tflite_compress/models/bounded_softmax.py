"""Masked attention whose scores fit into a few bits.

Keras adds -1e9 to the scores of masked steps. An integer tensor with that range has one value for all other
scores. A number a little below the lowest score masks as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import Layer, Tensor
from tflite_compress.models.network import Network
from tflite_compress.support.backend import tensorflow

BELOW_LOWEST = 10.0  # exp(-10) of the smallest weight is less than a step of 8 bits


def with_bounded_scores(network: Network) -> Network:
    """Return the network with masked scores of attention bounded, for integer quantization.

    Args:
        network: A network with fixed numbers of steps.
    """
    layers = network.handle.layers if network.editable else []
    if not any(_is_masked(layer) for layer in layers):
        return network
    return replace(network, handle=replay(network.handle, _translate))


def _is_attention(layer: object) -> bool:
    return type(layer).__name__ == "MultiHeadAttention" and hasattr(layer, "_masked_softmax")


def _is_masked(layer: Layer) -> bool:
    """Return True for attention that computes with a mask in the model it is part of."""
    return _is_attention(layer) and any(
        _has_mask(node.call_args, node.call_kwargs) for node in layer._inbound_nodes
    )


def _has_mask(args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
    tensors = tensorflow().nest.flatten([args, kwargs])
    implicit = any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors)
    return implicit or kwargs.get("attention_mask") is not None or bool(kwargs.get("use_causal_mask"))


def _translate(call: Call) -> object:
    if not _is_attention(call.layer) or not _has_mask(call.args, call.kwargs):
        return call.layer(*call.args, **call.kwargs)
    layer: Any = call.layer
    copy = type(layer).from_config(layer.get_config())
    outputs: object = copy(*call.args, **call.kwargs)
    copy.set_weights(layer.get_weights())
    axes = copy._softmax.axis
    copy._softmax = lambda scores, mask=None: _softmax(scores, mask, axes)
    return outputs


def _softmax(scores: Tensor, mask: Tensor | None, axes: int | Sequence[int]) -> object:
    """Return softmax over the axes, of the scores where the mask is true.

    Args:
        scores: Attention scores.
        mask: Bool, broadcasts to the scores; None masks nothing.
        axes: Axis, or several.
    """
    tf = tensorflow()
    axis = list(axes) if isinstance(axes, list | tuple) else [axes]
    if mask is not None:
        lowest = tf.reduce_min(scores, axis, keepdims=True) - BELOW_LOWEST
        kept = tf.cast(mask, scores.dtype)
        scores = scores * kept + lowest * (1.0 - kept)
    if len(axis) == 1:
        return tf.nn.softmax(scores, axis=axis[0])
    return tf.exp(scores - tf.reduce_logsumexp(scores, axis=axis, keepdims=True))
