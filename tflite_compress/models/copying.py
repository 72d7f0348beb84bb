"""Independent copies of tf_keras networks, layer by layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tflite_compress.models.graph import Call, replay

_HALF = ("float16", "bfloat16")


def rebuild(model: Any, stand_in: Callable[[Any], Any]) -> Any:
    """Replay a tf_keras model with another layer in each one's place.

    Args:
        model: A functional tf_keras model.
        stand_in: Gives the layer to use for a layer; called once for each, so shared ones stay shared.

    Returns:
        A flat ``tf_keras.Model``.
    """
    chosen: dict[int, Any] = {}

    def translate(call: Call) -> Any:
        key = id(call.layer)
        if key not in chosen:
            chosen[key] = stand_in(call.layer)
        args, kwargs = call.args, call.kwargs
        if chosen[key] is not call.layer:
            args, kwargs = _by_name(call)
        return chosen[key](*args, **kwargs)

    return replay(model, translate)


def copied(model: Any, changes: Callable[[Any], dict[str, Any]] = lambda layer: {}) -> Any:
    """A copy of a tf_keras model that can be trained without touching the original.

    Args:
        model: A functional tf_keras model.
        changes: Configuration entries to change in the copy of a layer.
    """

    def fresh(layer: Any) -> Any:
        if not layer.weights:
            return layer
        return type(layer).from_config({**layer.get_config(), **changes(layer)})

    duplicate = rebuild(model, fresh)
    for source, target in zip(weighted_layers(model), weighted_layers(duplicate), strict=True):
        target.set_weights(source.get_weights())
    return duplicate


def in_float32(model: Any) -> Any:
    """The model computing in float32: a network trained in mixed precision does not convert as it is.

    Its weights are float32 already; only the rounding of activations to 16 bits goes away.
    """
    if not any(getattr(layer, "compute_dtype", "float32") in _HALF for layer in model.layers):
        return model

    def single(layer: Any) -> Any:
        if getattr(layer, "compute_dtype", "float32") not in _HALF:
            return layer
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    converted = rebuild(model, single)
    for source, target in zip(weighted_layers(model), weighted_layers(converted), strict=True):
        target.set_weights(source.get_weights())
    return converted


def weighted_layers(model: Any) -> list[Any]:
    """The model's layers that have weights, in graph order."""
    return [layer for layer in model.layers if layer.weights]


def _by_name(call: Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments after the first by name, and an implicit mask made explicit.

    TF-MOT's wrappers take one positional argument and do not pass masks on by themselves.
    """
    parameters = inspect.signature(call.layer.call).parameters
    names = list(parameters)
    kwargs = dict(call.kwargs)
    kwargs.update(zip(names[1:], call.args[1:], strict=False))
    mask = getattr(call.args[0], "_keras_mask", None)
    if mask is not None and "mask" in parameters and kwargs.get("mask") is None:
        kwargs["mask"] = mask
    return call.args[:1], kwargs
