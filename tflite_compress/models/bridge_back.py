"""Rebuild a tf_keras network in Keras 3: the way back from :mod:`~tflite_compress.models.bridge`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.models import bridge
from tflite_compress.models.graph import Call, is_functional, replay
from tflite_compress.models.keras_errors import cause_line
from tflite_compress.models.keras_types import Config, KerasModel, Layer
from tflite_compress.models.random_runs import run_on_random
from tflite_compress.support.backend import keras3
from tflite_compress.support.errors import ModelError

_INNER_LAYERS = ("layer", "forward_layer", "backward_layer")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
_NEVER_CHANGED = frozenset({"name", "trainable", "dtype", "axis"})  # tf_keras rewrites axis when it builds


def to_keras3(network: KerasModel, original: KerasModel | None = None) -> KerasModel:
    """Rebuild a functional tf_keras model as a Keras 3 model with equal outputs.

    Args:
        network: A functional tf_keras model, for example a bridged model that passes have changed.
        original: The Keras 3 model it was made from. Its layers give settings that tf_keras does not keep,
            such as regularizers, and its inputs and outputs their nesting. None uses defaults.

    Returns:
        A flat functional ``keras.Model`` that is not compiled, with weights of its own.

    Raises:
        ModelError: A layer has no equivalent in Keras 3, or the outputs differ by more than 1e-5 on random
            input. The message names the layer.
    """
    keras = keras3()
    translator = _Translator({} if original is None else _layers_by_name(original))
    rebuilt = replay(network, translator.translate, keras=keras)
    _require_equal(network, rebuilt)
    if original is None:
        return rebuilt
    inputs = _nested(original, "_inputs_struct", rebuilt.inputs)
    outputs = _nested(original, "_outputs_struct", rebuilt.outputs)
    model: KerasModel = keras.Model(inputs, outputs, name=original.name)
    return model


def is_keras3(model: object) -> bool:
    """Return True for a model object of Keras 3."""
    return any(cls.__module__.startswith("keras.src.") for cls in type(model).__mro__)


class _Translator:
    """Translates calls of tf_keras layers. It keeps each translated layer, so shared layers stay shared."""

    def __init__(self, originals: dict[str, Layer]) -> None:
        self._originals = originals
        self._layers: dict[int, Any] = {}

    def translate(self, call: Call) -> object:
        try:
            return self._translate(call)
        except ModelError:
            raise
        except Exception as error:
            raise _no_equivalent(call.layer, cause_line(error)) from error

    def _translate(self, call: Call) -> object:
        from tflite_compress.models.carrier import Carrier, arguments_of

        key, kwargs = id(call.layer), dict(call.kwargs)
        args: tuple[Any, ...] = call.args
        kwargs.pop("training", None)
        if isinstance(call.layer, Carrier):
            args, kwargs = arguments_of(kwargs["template"], args[0] if isinstance(args[0], list) else [*args])
            if key not in self._layers:
                self._layers[key] = _carried(call.layer)
            return self._layers[key](*args, **kwargs)
        if type(call.layer).__name__ in _RECURRENT and isinstance(args[0], list):  # [sequence, *states]
            args, kwargs = (args[0][0],), {**kwargs, "initial_state": args[0][1:]}
        fresh = key not in self._layers
        if fresh:
            self._layers[key] = _native(call.layer, self._originals.get(call.layer.name))
        outputs: object = self._layers[key](*args, **kwargs)
        if fresh:
            self._layers[key].set_weights(call.layer.get_weights())
        return outputs


def _carried(carrier: Any) -> Layer:
    """Return a copy of the Keras 3 layer that a carrier runs; operations have no state and are not copied."""
    operation: Layer = carrier._operation
    if not isinstance(operation, keras3().layers.Layer):
        return operation
    copy: Layer = type(operation).from_config({**operation.get_config(), "name": carrier.name})
    if operation.weights:
        copy.build_from_config(operation.get_build_config())
        copy.set_weights(operation.get_weights())
    return copy


def _native(layer: Layer, original: Layer | None) -> Layer:
    """Return the Keras 3 layer for a tf_keras layer, not built yet."""
    name = type(layer).__name__
    twin = getattr(keras3().layers, name, None)
    if name not in bridge.NATIVE or twin is None or not type(layer).__module__.startswith("tf_keras.src."):
        raise _no_equivalent(layer, "Keras 3 has no such layer")
    if original is not None and type(original).__name__ == name:
        return type(original).from_config(_changed_config(layer, original))
    native: Layer = twin.from_config(_plain_config(layer, twin))
    return native


def _changed_config(layer: Layer, original: Layer) -> Config:
    """Return the original's configuration with what passes changed, such as the number of filters."""
    config: Config = {**original.get_config(), "name": layer.name}
    before = bridge._native(original, layer.name)
    assert before is not None  # the tf_keras layer was made from it
    settings_before, settings = before.get_config(), layer.get_config()
    for key in _INNER_LAYERS:  # tf_keras adds to the rest of the entry when it builds
        for found in (settings, settings_before):
            if isinstance(found.get(key), dict):
                found[key] = found[key]["config"]
    changed = {key for key in config if key in settings and settings[key] != settings_before.get(key)}
    if changed & set(_INNER_LAYERS):
        raise _no_equivalent(layer, "the layer inside it was changed")
    return {**config, **{key: settings[key] for key in changed - _NEVER_CHANGED}}


def _plain_config(layer: Layer, twin: type) -> Config:
    """Return constructor arguments for ``twin`` from a tf_keras layer."""
    accepted = bridge._constructor_arguments(twin) | {"name", "trainable"}
    config = {
        key: value
        for key, value in layer.get_config().items()
        if key in accepted and key not in bridge._IRRELEVANT
    }
    if isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    return {**config, "dtype": bridge._policy_name(layer.get_config().get("dtype"))}


def _layers_by_name(model: KerasModel, prefix: str = "") -> dict[str, Layer]:
    """Return the model's layers by their names in the flat graph; see :class:`~.graph.Call`."""
    found: dict[str, Layer] = {}
    for layer in model.layers:
        if is_functional(layer):
            found |= _layers_by_name(layer, f"{prefix}{layer.name}_")
        else:
            found[prefix + layer.name] = layer
    return found


def _nested(original: KerasModel, structure: str, tensors: Any) -> object:
    """Nest tensors like the original's inputs or outputs."""
    pattern = getattr(original, structure, None)
    if pattern is None:
        return tensors[0] if len(tensors) == 1 else list(tensors)
    packed: object = keras3().tree.pack_sequence_as(pattern, list(tensors))
    return packed


def _require_equal(network: KerasModel, rebuilt: KerasModel) -> None:
    _, before, after = run_on_random(network, rebuilt)
    for expected, actual in zip(before, after, strict=True):
        difference = float(np.max(np.abs(expected - actual), initial=0.0))
        if not difference <= bridge.TOLERANCE * max(1.0, float(np.max(np.abs(expected), initial=0.0))):
            raise ModelError(
                f"the Keras 3 copy of model '{network.name}' differs from it by {difference:.1e} "
                f"(at most {bridge.TOLERANCE:.0e} is accepted)",
                "Give the model as a tf_keras model, or put the pass into a recipe.",
            )


def _no_equivalent(layer: Layer, reason: str) -> ModelError:
    return ModelError(
        f"layer '{layer.name}' ({type(layer).__name__}) cannot be rebuilt in Keras 3: {reason}",
        "Put the pass into a recipe and convert in the same call.",
    )
