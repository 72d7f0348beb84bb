"""A tf_keras layer that runs a Keras 3 operation or layer unchanged.

Importing this module imports TensorFlow, which its base class needs.
"""

from __future__ import annotations

import inspect
import itertools
import weakref
from typing import Any

from tflite_compress.models.keras_types import Config, Layer
from tflite_compress.support.backend import tensorflow, tf_keras

# A constant, because AutoGraph rewrites the functions that a layer calls, which takes long for the one that
# imports TensorFlow.
tf = tensorflow()
_Layer: Any = tf_keras().layers.Layer


# Copies that libraries make of a model hold strings only, so these name live objects.
_OPERATIONS: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_TEMPLATES: weakref.WeakValueDictionary[str, Template] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count()


class Slot:
    """The place of the n-th tensor in an operation's arguments."""

    def __init__(self, index: int) -> None:
        self.index = index


class Template:
    """An operation's arguments with slots for tensors. tf_keras does not look into it."""

    def __init__(self, args: tuple[object, ...], kwargs: Config) -> None:
        self.arguments = (args, kwargs)


class Kept:
    """The templates that a carrier was called with, which live as long as the carrier."""

    def __init__(self) -> None:
        self._templates: set[Template] = set()

    def keep(self, template: str) -> None:
        """Keep the template of this name alive."""
        self._templates.add(_TEMPLATES[template])


class Carrier(_Layer):  # type: ignore[misc]
    """Runs ``operation``, a Keras 3 operation or layer on the TensorFlow backend.

    Args:
        operation: The operation or layer. Its weights become this layer's weights.
        name: The layer's name.
    """

    def __init__(self, operation: Any, name: str) -> None:
        super().__init__(name=name)
        self._operation = operation
        self._kept = Kept()
        self._takes_training = "training" in inspect.signature(operation.call).parameters
        self.carried = [variable.value for variable in getattr(operation, "weights", [])]

    @property
    def carried_class(self) -> str:
        """Name of the class of the operation or layer."""
        return type(self._operation).__name__

    def call(self, tensors: list[object] | object, template: str, training: object = None) -> object:
        """Run the operation on ``tensors`` in the named template; clones give a single tensor as such."""
        given = tensors if isinstance(tensors, list) else [tensors]
        self._kept.keep(template)
        args, kwargs = arguments_of(template, given)
        if self._takes_training:
            kwargs = {**kwargs, "training": training}
        outputs: object = self._operation(*args, **kwargs)
        return outputs

    def get_config(self) -> Config:
        """Return the name of the live operation: carriers are copied in memory, never saved."""
        key = str(id(self._operation))
        _OPERATIONS[key] = self._operation
        return {"operation": key, "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> Carrier:
        """Build a copy with weights of its own."""
        return cls(independent(_OPERATIONS[config["operation"]]), config["name"])


def independent(operation: Layer) -> Layer:
    """Copy a Keras 3 layer with its weights; return operations without weights unchanged."""
    if not getattr(operation, "weights", None):
        return operation
    copy = type(operation).from_config(operation.get_config())
    copy.build_from_config(operation.get_build_config())
    copy.set_weights(operation.get_weights())
    return copy


def arguments_of(template: str, tensors: list[object]) -> tuple[tuple[object, ...], Config]:
    """Return the arguments of an operation.

    Args:
        template: Name of the template, an argument of the carrier's call.
        tensors: The tensors to place into it.
    """
    found: tuple[tuple[object, ...], Config] = tf.nest.map_structure(
        lambda x: tensors[x.index] if isinstance(x, Slot) else x, _TEMPLATES[template].arguments
    )
    return found


def call_carrier(carrier: Carrier, args: tuple[object, ...], kwargs: Config) -> object:
    """Call ``carrier`` with arguments that contain tf_keras graph tensors at any depth."""
    tensors: list[object] = []

    def to_slot(x: object) -> object:
        if not tf.is_tensor(x) and not hasattr(x, "_keras_history"):
            return x
        tensors.append(x)
        return Slot(len(tensors) - 1)

    template = Template(*tf.nest.map_structure(to_slot, (tuple(args), dict(kwargs))))
    key = str(next(_NUMBERS))
    _TEMPLATES[key] = template
    outputs: object = carrier(tensors, template=key)
    return outputs
