"""Averages over masked sequences that are defined where all steps are masked.

Keras divides the sum of the steps that are not masked by their number. Where all are masked it divides by
zero: the float file gives NaN, and LiteRT refuses to divide integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import Layer, Tensor
from tflite_compress.models.network import Network


def with_defined_means(network: Network) -> Network:
    """Return the network with 0 as the average of sequences that are all padding; others are equal.

    Args:
        network: A network.
    """
    layers = network.handle.layers if network.editable else []
    if not any(_is_mean(layer) and _is_masked(layer) for layer in layers):
        return network
    return replace(network, handle=replay(network.handle, _translate))


def _is_mean(layer: Layer) -> bool:
    return type(layer).__name__ == "GlobalAveragePooling1D"


def _is_masked(layer: Layer) -> bool:
    return any(_has_mask(node.call_args, node.call_kwargs) for node in layer._inbound_nodes)


def _has_mask(args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
    return kwargs.get("mask") is not None or getattr(args[0], "_keras_mask", None) is not None


def _translate(call: Call) -> object:
    from tflite_compress.models.mask_layers import MaskedMean, mask_tensor

    layer: Any = call.layer
    is_tensor = bool(call.args) and hasattr(call.args[0], "_keras_history")
    if not _is_mean(layer) or not is_tensor or not _has_mask(call.args, call.kwargs):
        return call.layer(*call.args, **call.kwargs)
    given = call.kwargs.get("mask")
    mask: Tensor | None = mask_tensor(call.args[0]) if given is None else given
    axis = 1 if layer.data_format == "channels_last" else 2
    return MaskedMean(axis, layer.keepdims, name=layer.name)([call.args[0], mask])
