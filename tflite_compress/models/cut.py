"""Cut layers off the start of a model: the output of a layer becomes an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tflite_compress.models.graph import is_functional
from tflite_compress.models.text_inputs import described_tensor
from tflite_compress.support.backend import keras3, tensorflow, tf_keras
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the names of layers in a text that separates them by commas."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def cut_model(model: Any, names: Sequence[str]) -> tuple[Any, tuple[Note, ...]]:
    """Return the part of a model after some layers, and a note on what its new inputs are.

    Args:
        model: A functional or sequential model of Keras 2 (tf_keras) or Keras 3.
        names: Names of layers, each with one output. They and what only they read are cut off.

    Raises:
        ModelError: The model has no graph of layers, no such layer, or the layer has several outputs.
    """
    if not names:
        return model, ()
    if not is_functional(model):
        raise ModelError("layers cannot be cut off a model without a graph of layers", "Leave out --cut.")
    layers = {layer.name: layer for layer in model.layers}
    for name in names:
        if name not in layers:
            raise ModelError(
                f"model '{model.name}' has no layer '{name}' to cut after",
                f"Its layers are {', '.join(list(layers)[:20])}.",
            )
    starts = [layers[name].output for name in names]
    if any(isinstance(start, list | tuple) for start in starts):
        raise ModelError("a layer with several outputs cannot be cut after", "Cut after each of its readers.")
    kept = _still_read(model, {id(start) for start in starts})
    library = tf_keras() if isinstance(model, tf_keras().Model) else keras3()
    rest = library.Model([*starts, *kept], list(model.outputs), name=model.name)
    fed = " and ".join(
        f"{described_tensor(start)}, what layer '{name}' gave"
        for name, start in zip(names, starts, strict=True)
    )
    return rest, (Note("model-cut", f"layers were cut off the start of the model; its new input is {fed}"),)


def _still_read(model: Any, starts: set[int]) -> list[Any]:
    """Return the model's inputs that its outputs need without the cut layers."""
    flatten = tensorflow().nest.flatten
    seen: set[int] = set(starts)
    stack, found = list(model.outputs), set()
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        found.add(id(tensor))
        layer, number = tensor._keras_history[:2]
        node = layer._inbound_nodes[number]
        stack += flatten(node.input_tensors if hasattr(node, "input_tensors") else node.keras_inputs)
    return [tensor for tensor in model.inputs if id(tensor) in found]
