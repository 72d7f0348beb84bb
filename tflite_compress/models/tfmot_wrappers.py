"""Take the wrappers of TF-MOT, the TensorFlow Model Optimization toolkit, off a loaded tf_keras model."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_types import Config, KerasModel, Layer
from tflite_compress.models.quantized_layers import loadable
from tflite_compress.support.backend import tf_keras, tfmot
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note

_CLASSES = re.compile(r'"class_name":\s*"(PruneLowMagnitude|ClusterWeights|Quantize(Layer|Wrapper))')
Objects = dict[str, object]


def wrapper_objects(config: Config | str) -> Objects:
    """Return TF-MOT's classes by name if a configuration has wrappers of TF-MOT; else nothing.

    Args:
        config: The model's configuration, decoded or as JSON.
    """
    text = config if isinstance(config, str) else json.dumps(config)
    if not _CLASSES.search(text):
        return {}
    return _objects()


def has_wrappers(model: KerasModel) -> bool:
    """Return True if a tf_keras model has a wrapper of TF-MOT, in nested models too."""
    parts: Any = model
    return any(_CLASSES.search(f'"class_name": "{type(part).__name__}') for part in parts._flatten_layers())


def without_wrappers(model: KerasModel) -> tuple[KerasModel, KerasModel | None, tuple[Note, ...]]:
    """Return a flat model without wrappers of TF-MOT, and the model with trained int8 ranges.

    Args:
        model: A functional tf_keras model that has wrappers.

    Returns:
        The model with float layers; the model with simulated int8 rounding, or None if it has none; notes.

    Raises:
        ModelError: A wrapped layer cannot be rebuilt.
    """
    kinds = {type(part).__name__ for part in model._flatten_layers()}  # type: ignore[attr-defined]
    notes = []
    if "PruneLowMagnitude" in kinds:
        model = tfmot().sparsity.keras.strip_pruning(model)
        notes.append(Note("wrappers-removed", "TF-MOT's pruning wrappers were removed; zeros are kept"))
    if any(kind.startswith("ClusterWeights") for kind in kinds):
        model = tfmot().clustering.keras.strip_clustering(model)
        text = "TF-MOT's clustering wrappers were removed; shared values are kept"
        notes.append(Note("wrappers-removed", text))
    if not any(kind.startswith("Quantize") for kind in kinds):
        return replay(model, lambda call: call.layer(*call.args, **call.kwargs)), None, tuple(notes)
    text = (
        "the model was trained with simulated int8 rounding: int8 without further training uses its ranges, "
        "other recipes its float weights"
    )
    notes.append(Note("trained-ranges", text))
    flat = replay(model, lambda call: call.layer(*call.args, **call.kwargs))
    return _without_rounding(model), flat, tuple(notes)


def _objects() -> Objects:
    from tensorflow_model_optimization.python.core.clustering.keras import cluster_wrapper

    toolkit = tfmot()
    scopes = (
        toolkit.sparsity.keras.prune_scope(),
        toolkit.clustering.keras.cluster_scope(),
        toolkit.quantization.keras.quantize_scope(),
    )
    groups = [scope.custom_objects for scope in scopes]
    found: Objects = {}
    for group in groups:
        for objects in [group] if isinstance(group, dict) else group:
            found |= objects
    names = ("ClusterWeightsRNN", "ClusterWeightsMHA")  # not in TF-MOT's scope
    return loadable(found | {name: getattr(cluster_wrapper, name) for name in names})


def _without_rounding(model: KerasModel) -> KerasModel:
    """Return the model that TF-MOT's ``quantize_apply`` was given, with the trained weights."""
    chosen: dict[int, Layer] = {}

    def translate(call: Call) -> object:
        kind = type(call.layer).__name__
        if kind == "QuantizeLayer":
            return call.args[0]
        if not kind.startswith("QuantizeWrapper"):
            return call.layer(*call.args, **call.kwargs)
        layer = chosen.get(id(call.layer))
        if layer is not None:
            return layer(*call.args)
        layer = chosen[id(call.layer)] = _inner(call.layer)
        outputs = layer(*call.args)
        layer.set_weights(_inner_weights(call.layer, layer))
        return outputs

    return replay(model, translate)


def _inner(wrapper: Any) -> Layer:
    """Return a copy of the layer in a quantization wrapper, with its own activation."""
    wrapped = wrapper.layer
    activation: Any = getattr(wrapped, "activation", None)
    simulated = type(activation).__name__ == "QuantizeAwareActivation"
    if simulated:
        wrapped.activation = own = activation.activation
        if type(own).__name__ == "NoOpActivation":  # the rounding of a following layer was moved here
            wrapped.activation = tf_keras().activations.linear
    try:
        config = wrapped.get_config()
    finally:
        if simulated:
            wrapped.activation = activation
    copy: Layer = type(wrapped).from_config(config)
    return copy


def _inner_weights(wrapper: Layer, copy: Layer) -> list[np.ndarray]:
    values: dict[str, list[np.ndarray]] = {}
    for weight in wrapper.weights:
        values.setdefault(weight.name.split(":")[0].rpartition("/")[2], []).append(weight.numpy())
    found = []
    for weight in copy.weights:
        name = weight.name.split(":")[0].rpartition("/")[2]
        matching = values.get(name, [])
        if len(matching) != 1 or matching[0].shape != tuple(weight.shape):
            raise ModelError(
                f"layer '{wrapper.name}': weight '{name}' of its quantization wrapper cannot be identified",
                "Give the model as it was before quantize_model, or the converted .tflite file.",
            )
        found.append(matching[0])
    return found
