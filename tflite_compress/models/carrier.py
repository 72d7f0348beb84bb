"""A tf_keras layer that runs a Keras 3 operation or layer unchanged.

Importing this module imports TensorFlow, which its base class needs.
"""

from __future__ import annotations

import inspect
from typing import Any

from tflite_compress.models.keras_types import Config, Layer
from tflite_compress.support.backend import tensorflow, tf_keras

_Layer: Any = tf_keras().layers.Layer


class Slot:
    """The place of the n-th tensor in an operation's arguments."""

    def __init__(self, index: int) -> None:
        self.index = index


class Template:
    """An operation's arguments with slots for tensors. tf_keras does not look into it."""

    def __init__(self, args: tuple[object, ...], kwargs: Config) -> None:
        self.arguments = (args, kwargs)


class Carrier(_Layer):  # type: ignore[misc]
    """Runs ``operation``, a Keras 3 operation or layer on the TensorFlow backend.

    Args:
        operation: The operation or layer. Its weights become this layer's weights.
        name: The layer's name.
    """

    def __init__(self, operation: Any, name: str) -> None:
        super().__init__(name=name)
        self._operation = operation
        self._takes_training = "training" in inspect.signature(operation.call).parameters
        self.carried = [variable.value for variable in getattr(operation, "weights", [])]

    @property
    def carried_class(self) -> str:
        """Name of the class of the operation or layer."""
        return type(self._operation).__name__

    def call(self, tensors: list[object], template: Template, training: object = None) -> object:
        """Run the operation on ``tensors`` placed into ``template``."""
        args, kwargs = tensorflow().nest.map_structure(
            lambda x: tensors[x.index] if isinstance(x, Slot) else x, template.arguments
        )
        if self._takes_training:
            kwargs = {**kwargs, "training": training}
        outputs: object = self._operation(*args, **kwargs)
        return outputs

    def get_config(self) -> Config:
        """Return the live operation: carriers are copied in memory, never saved."""
        return {"operation": self._operation, "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> Carrier:
        """Build a copy with weights of its own."""
        return cls(independent(config["operation"]), config["name"])


def independent(operation: Layer) -> Layer:
    """Copy a Keras 3 layer with its weights; return operations without weights unchanged."""
    if not getattr(operation, "weights", None):
        return operation
    copy = type(operation).from_config(operation.get_config())
    copy.build_from_config(operation.get_build_config())
    copy.set_weights(operation.get_weights())
    return copy


def call_carrier(carrier: Carrier, args: tuple[object, ...], kwargs: Config) -> object:
    """Call ``carrier`` with arguments that contain tf_keras graph tensors at any depth."""
    tensors: list[object] = []

    def to_slot(x: object) -> object:
        if not tensorflow().is_tensor(x) and not hasattr(x, "_keras_history"):
            return x
        tensors.append(x)
        return Slot(len(tensors) - 1)

    template = Template(*tensorflow().nest.map_structure(to_slot, (tuple(args), dict(kwargs))))
    outputs: object = carrier(tensors, template=template)
    return outputs
