"""Refuse models with text inputs, and say which layers to move out of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tflite_compress.models.network import TensorSpec
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.errors import ModelError


def require_numbers(model: Any) -> None:
    """Refuse a functional Keras 2 or Keras 3 model with an input of strings.

    Raises:
        ModelError: The model has such an input. The hint is the model to save instead.
    """
    names = [str(tensor.name).split(":")[0] for tensor in model.inputs if _is_text(tensor)]
    if not names:
        return
    readers = list(_text_layers(model))
    listed = ", ".join(f"'{layer.name}' ({type(layer).__name__})" for layer in readers)
    others = [tensor for tensor in model.inputs if not _is_text(tensor)]
    outputs = "model.outputs" if len(model.outputs) > 1 else "model.output"
    parts = [f"model.get_layer('{layer.name}').output" for layer in readers]
    parts += [f"model.inputs[{i}]" for i, tensor in enumerate(model.inputs) if tensor in others]
    cut = ",".join(layer.name for layer in readers)
    given = ", ".join(f"{described_tensor(layer.output)} from '{layer.name}'" for layer in readers)
    raise ModelError(
        f"model '{model.name}': {_plural('input', names)} text, which a .tflite for a device cannot process; "
        f"text is processed by {listed or 'none of its layers'}",
        f"Pass --cut={cut}, or save keras.Model([{', '.join(parts)}], {outputs}). "
        f"Give data for its inputs: {given}.",
    )


def require_number_ports(name: str, ports: tuple[TensorSpec, ...]) -> None:
    """Refuse a SavedModel signature with an input of strings.

    Raises:
        ModelError: The signature has such an input.
    """
    names = [port.name for port in ports if port.dtype == "string"]
    if names:
        raise ModelError(
            f"model '{name}': {_plural('input', names)} text, which a .tflite for a device cannot process",
            "Export the model without the layers that process text, such as StringLookup.",
        )


def _text_layers(model: Any) -> Iterator[Any]:
    """Yield the layers that turn text into numbers."""
    flatten = tensorflow().nest.flatten
    for layer in model.layers:
        inputs, outputs = (flatten(getattr(layer, side, None)) for side in ("input", "output"))
        if any(_is_text(x) for x in inputs) and not any(_is_text(x) for x in outputs):
            yield layer


def _is_text(tensor: Any) -> bool:
    dtype = getattr(tensor, "dtype", None)
    return str(getattr(dtype, "name", dtype)) == "string"


def described_tensor(tensor: Any) -> str:
    """Return a tensor's type and shape in words."""
    sizes = ", ".join(
        "samples" if i == 0 else "any" if d is None else str(d) for i, d in enumerate(tensor.shape)
    )
    return f"{getattr(tensor.dtype, 'name', tensor.dtype)} of shape ({sizes})"


def _plural(noun: str, names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"{noun} {listed} is" if len(names) == 1 else f"{noun}s {listed} are"
