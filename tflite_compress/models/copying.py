"""Copy a tf_keras model layer by layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import ChangeConfig, Config, KerasModel, Layer


def rebuild(model: KerasModel, stand_in: Callable[[Layer], Layer]) -> KerasModel:
    """Replay a tf_keras model with each layer replaced.

    Args:
        model: A functional tf_keras model.
        stand_in: Returns the replacement of a layer. It is called once per layer, so shared layers stay
            shared.

    Returns:
        A flat ``tf_keras.Model``.
    """
    chosen: dict[int, Layer] = {}

    def translate(call: Call) -> object:
        key = id(call.layer)
        if key not in chosen:
            chosen[key] = stand_in(call.layer)
        args, kwargs = call.args, call.kwargs
        if chosen[key] is not call.layer:
            args, kwargs = _by_name(call)
        return chosen[key](*args, **kwargs)

    return replay(model, translate)


def copied(model: KerasModel, changes: ChangeConfig = lambda layer: {}) -> KerasModel:
    """Return a copy of a tf_keras model with weights of its own.

    Args:
        model: A functional tf_keras model.
        changes: Returns the configuration entries to change in the copy of a layer.
    """

    def fresh(layer: Layer) -> Layer:
        if not layer.weights:
            return layer
        return type(layer).from_config({**layer.get_config(), **changes(layer)})

    duplicate = rebuild(model, fresh)
    for source, target in zip(weighted_layers(model), weighted_layers(duplicate), strict=True):
        target.set_weights(source.get_weights())
    return duplicate


def weighted_layers(model: KerasModel) -> list[Layer]:
    """Return the layers that have weights, in graph order."""
    return [layer for layer in model.layers if layer.weights]


def _by_name(call: Call) -> tuple[tuple[object, ...], Config]:
    """Return the call's arguments with all but the first passed by name, and with its implicit mask.

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
