"""A loaded model with its origin, and what a loader returned as a network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from tflite_compress.models.bridge import to_tf_keras
from tflite_compress.models.cut import cut_model
from tflite_compress.models.full_precision import float32_note, half_policies, in_float32
from tflite_compress.models.graph import is_functional, replay
from tflite_compress.models.graph_precision import graph_in_float32
from tflite_compress.models.keras_types import KerasModel, Tensor
from tflite_compress.models.network import Network, TensorSpec, keras_network
from tflite_compress.models.text_inputs import require_number_ports, require_numbers
from tflite_compress.models.tfmot_wrappers import has_wrappers, without_wrappers
from tflite_compress.support.backend import keras3, tf_keras
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note


class Signature(Protocol):
    """A function of a SavedModel without Keras layers."""

    @property
    def structured_input_signature(self) -> tuple[object, Mapping[str, Tensor]]:
        """Positional inputs, and inputs by name."""

    @property
    def structured_outputs(self) -> Mapping[str, Tensor]:
        """Outputs by name."""


@dataclass(frozen=True)
class Source:
    """A loaded model with its origin.

    Attributes:
        network: The model, as an editable tf_keras network if possible.
        origin: Its path, or ``<Keras model object>``.
        format: ``keras``, ``h5``, ``saved_model`` or ``object``, with the Keras version if known.
        sha256: Hash of the file or folder, or of the weights of an object.
        loss: Name of the loss the model was compiled with, or None.
        notes: What was changed while loading.
    """

    network: Network
    origin: str
    format: str
    sha256: str
    loss: str | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Described:
    """What a loader returned, as a network.

    Attributes:
        network: The network, in tf_keras if possible.
        loss: Name of the loss the model was compiled with, or None.
        notes: What was changed.
    """

    network: Network
    loss: str | None = None
    notes: tuple[Note, ...] = ()


def source_from_object(model: object, cut: Sequence[str] = ()) -> Source:
    """Describe a Keras 2 or Keras 3 model object.

    Raises:
        ModelError: The object is not a Keras model.
    """
    if not hasattr(model, "weights") or not hasattr(model, "predict"):
        raise ModelError(
            f"a {type(model).__name__} is not a Keras model", "Give a path, or a keras or tf_keras model."
        )
    keras_model = cast(KerasModel, model)
    found = describe_model(keras_model, keras_model.name, cut)
    digest = hashlib.sha256()
    for array in keras_model.get_weights():
        digest.update(array.tobytes())
    return Source(
        found.network, "<Keras model object>", "object", digest.hexdigest(), found.loss, found.notes
    )


def describe_model(handle: Any, name: str, cut: Sequence[str] = ()) -> Described:
    """Convert a loaded model to a network, in tf_keras if possible.

    Args:
        handle: A Keras 2 or Keras 3 model, or a SavedModel signature.
        name: Name of the network.
        cut: Names of layers to cut off the start; see :func:`~.cut.cut_model`.
    """
    if not hasattr(handle, "trainable_weights"):
        signature = _signature_network(handle, name)
        require_number_ports(name, signature.inputs)
        graph, notes = graph_in_float32(signature)
        return Described(graph, notes=notes)
    loss = _loss_name(getattr(handle, "loss", None))
    handle, notes = cut_model(handle, cut)
    keras2 = isinstance(handle, tf_keras().Model)
    if not is_functional(handle):
        why = "a subclassed model has no graph of layers"
        subclassed, notes = graph_in_float32(keras_network(handle, name, False, why))
        return Described(subclassed, loss, notes)
    require_numbers(handle)
    if policies := half_policies(handle):
        handle = in_float32(handle, tf_keras() if keras2 else keras3())
        notes = (*notes, float32_note(policies))
    if keras2 and has_wrappers(handle):
        handle, rounding, removed = without_wrappers(handle)
        network = replace(keras_network(handle, name, True), with_rounding=rounding)
        return Described(network, loss, (*notes, *removed))
    if keras2:
        flat = replay(handle, lambda call: call.layer(*call.args, **call.kwargs))
        return Described(keras_network(flat, name, True), loss, notes)
    try:
        network = keras_network(to_tf_keras(handle), name, True)
    except ModelError as error:
        network = keras_network(handle, name, False, error.message)
    return Described(network, loss, notes)


def _signature_network(signature: Signature, name: str) -> Network:
    specs = signature.structured_input_signature[1]
    inputs = tuple(TensorSpec(key, tuple(s.shape), s.dtype.name) for key, s in specs.items())
    outputs = tuple(
        TensorSpec(key, tuple(t.shape), t.dtype.name) for key, t in signature.structured_outputs.items()
    )
    return Network(
        name, signature, inputs, outputs, False, "a SavedModel without Keras layers is a fixed graph"
    )


def _loss_name(loss: object) -> str | None:
    """Return the snake-case name of a compiled loss given as a string, object, list or dict."""
    if isinstance(loss, dict):
        loss = next(iter(loss.values()), None)
    if isinstance(loss, list | tuple):
        loss = loss[0] if loss else None
    if loss is None or isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))
