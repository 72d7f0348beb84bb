"""Rebuild models that compute in float16 or bfloat16 so that they compute in float32.

The TFLite converter refuses operators that compute in 16-bit floats. With a mixed policy the weights are
float32 already, and only the rounding of activations to 16 bits is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tflite_compress.models.graph import Call, is_functional, replay
from tflite_compress.models.keras_types import Config, KerasModel, KerasModule, Layer
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.notes import Note

HALF = frozenset({"float16", "bfloat16"})
_HALF_POLICIES = HALF | {f"mixed_{name}" for name in HALF}


def half_policies(model: Any) -> list[str]:
    """Return the 16-bit policies and types that a Keras 2 or Keras 3 model uses, sorted; empty if none."""
    found = {_name(layer.dtype_policy) for layer in model._flatten_layers() if hasattr(layer, "dtype_policy")}
    found |= {_name(tensor.dtype) for tensor in getattr(model, "inputs", None) or ()}
    found |= {_name(operation.dtype) for operation in _casts(model)}
    return sorted(found & _HALF_POLICIES)


def in_float32(model: KerasModel, keras: KerasModule) -> KerasModel:
    """Return a flat copy of a functional model that computes in float32.

    Args:
        model: A functional or sequential model of Keras 2 (tf_keras) or Keras 3.
        keras: The Keras of the model.
    """
    chosen: dict[int, Layer] = {}

    def translate(call: Call) -> object:
        args, kwargs = _single((call.args, call.kwargs))
        layer = chosen.get(id(call.layer))
        if layer is not None:
            return layer(*args, **kwargs)
        layer = chosen[id(call.layer)] = _in_float32(call.layer)
        outputs = layer(*args, **kwargs)
        if layer is not call.layer and getattr(call.layer, "weights", None):
            layer.set_weights([_single_array(w) for w in call.layer.get_weights()])
        return outputs

    return replay(model, translate, keras=keras)


def float32_note(policies: list[str]) -> Note:
    """Return the note that a model with these 16-bit policies was rebuilt in float32."""
    text = f"the model computes in {' and '.join(policies)}; it was rebuilt in float32 before the conversion"
    return Note("rebuilt-in-float32", text)


def _in_float32(layer: Layer) -> Layer:
    """Return a copy of a layer or operation that computes in float32; itself if it has no 16-bit setting."""
    sublayers = layer._flatten_layers() if hasattr(layer, "_flatten_layers") else ()
    policies = {_name(part.dtype_policy) for part in sublayers if hasattr(part, "dtype_policy")}
    if not policies & _HALF_POLICIES and _name(getattr(layer, "dtype", None)) not in HALF:
        return layer
    config: Config = _single(layer.get_config())
    return type(layer).from_config(config)


def _single(value: Any, is_type: bool = False) -> Any:
    """Return a configuration or arguments with every 16-bit type replaced by float32.

    Args:
        value: A nested structure.
        is_type: True where a string names a type, as under a key ``dtype`` or inside a policy.
    """
    if isinstance(value, dict):
        policy = str(value.get("class_name", "")).endswith(("Policy", "PolicyMap"))
        return {k: _single(v, is_type or policy or "dtype" in str(k)) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_single(v, is_type) for v in value)
    if isinstance(value, str):
        return "float32" if is_type and value in _HALF_POLICIES else value
    if isinstance(value, tensorflow().DType):
        return tensorflow().float32 if value.name in HALF else value
    return value


def _single_array(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.name in HALF else array


def _casts(model: Any) -> Iterator[Any]:
    """Yield the Cast operations of a Keras 3 model and of the models nested in it."""
    for operation in getattr(model, "operations", ()):
        if type(operation).__name__ == "Cast":
            yield operation
        elif is_functional(operation):
            yield from _casts(operation)


def _name(dtype: object) -> str:
    return str(getattr(dtype, "name", dtype))
