"""Copy a tf_keras model layer by layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import ChangeConfig, Config, KerasModel, Layer


def rebuild(
    model: KerasModel,
    stand_in: Callable[[Layer], Layer],
    shapes: Sequence[tuple[int | None, ...]] | None = None,
) -> KerasModel:
    """Replay a tf_keras model with each layer replaced.

    Args:
        model: A functional tf_keras model.
        stand_in: Returns the replacement of a layer. It is called once per layer, so shared layers stay
            shared.
        shapes: Shapes of the inputs, batch first; those of the model by default.

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
            args, kwargs = _by_name(call, chosen[key])
        return chosen[key](*args, **kwargs)

    return replay(model, translate, shapes)


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


def copied_with_shapes(model: KerasModel, shapes: Sequence[tuple[int | None, ...]]) -> KerasModel:
    """Return a copy of a tf_keras model for inputs of other shapes.

    Layers without weights are copied too, because a layer that is called on two shapes has no single input
    shape. Functions have no configuration to copy them by, so these stay shared.

    Args:
        model: A functional tf_keras model.
        shapes: Shapes of the inputs, batch first.
    """

    def fresh(layer: Layer) -> Layer:
        if not layer.weights and not _is_built_in(layer):
            return layer
        return type(layer).from_config(layer.get_config())

    duplicate = rebuild(model, fresh, shapes)
    for source, target in zip(weighted_layers(model), weighted_layers(duplicate), strict=True):
        target.set_weights(source.get_weights())
    return duplicate


def _is_built_in(layer: Layer) -> bool:
    """Return True for a layer class of tf_keras that does not hold a function."""
    return type(layer).__module__.startswith("tf_keras.") and type(layer).__name__ not in (
        *("Lambda", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"),
    )


def weighted_layers(model: KerasModel) -> list[Layer]:
    """Return the layers that have weights, in graph order."""
    return [layer for layer in model.layers if layer.weights]


def _by_name(call: Call, stand_in: Layer) -> tuple[tuple[object, ...], Config]:
    """Return the call's arguments with all but the first passed by name, and with its implicit mask.

    TF-MOT's wrappers take one positional argument and do not pass masks on by themselves.
    """
    parameters = inspect.signature(call.layer.call).parameters
    kwargs = dict(call.kwargs)
    kwargs.update(zip(list(parameters)[1:], call.args[1:], strict=False))
    if not hasattr(stand_in, "call"):  # a function in place of a layer that is left out
        return call.args[:1], kwargs
    takes_mask = "mask" in inspect.signature(stand_in.call).parameters
    first = call.args[0]
    if (
        not takes_mask
        and "mask" in parameters
        and kwargs.get("mask") is None
        and hasattr(first, "_keras_history")
    ):
        from tflite_compress.models.mask_layers import mask_tensor

        mask = mask_tensor(first)
        if mask is not None:
            kwargs["mask"] = mask
    return call.args[:1], kwargs
