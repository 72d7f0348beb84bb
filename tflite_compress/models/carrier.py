"""A tf_keras layer that runs a Keras 3 operation or layer unchanged.

Import this module late: its base class needs TensorFlow.
"""

from __future__ import annotations

import inspect
from typing import Any

from tflite_compress.support.backend import tensorflow, tf_keras

_Layer: Any = tf_keras().layers.Layer


class Slot:
    """Marks where the n-th tensor goes in an operation's arguments."""

    def __init__(self, index: int) -> None:
        self.index = index


class Template:
    """An operation's arguments with slots for tensors; opaque, so that tf_keras keeps it whole."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.arguments = (args, kwargs)


class Carrier(_Layer):  # type: ignore[misc]
    """Runs ``operation``, a Keras 3 operation or layer on the TensorFlow backend.

    Args:
        operation: What to run. Its weights become this layer's weights.
        name: The layer's name.
    """

    def __init__(self, operation: Any, name: str) -> None:
        super().__init__(name=name)
        self._operation = operation
        self._takes_training = "training" in inspect.signature(operation.call).parameters
        self.carried = [variable.value for variable in getattr(operation, "weights", [])]

    def call(self, tensors: list[Any], template: Template, training: Any = None) -> Any:
        """Run the operation on ``tensors`` placed into ``template``."""
        args, kwargs = tensorflow().nest.map_structure(
            lambda x: tensors[x.index] if isinstance(x, Slot) else x, template.arguments
        )
        if self._takes_training:
            kwargs = {**kwargs, "training": training}
        return self._operation(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the live operation: carriers are copied in memory, never saved."""
        return {"operation": self._operation, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Carrier:
        """Build an independent copy: its weights are its own."""
        return cls(independent(config["operation"]), config["name"])


def independent(operation: Any) -> Any:
    """Copy a Keras 3 layer with its weights; operations without weights are returned as they are."""
    if not getattr(operation, "weights", None):
        return operation
    copy = type(operation).from_config(operation.get_config())
    copy.build_from_config(operation.get_build_config())
    copy.set_weights(operation.get_weights())
    return copy


def call_carrier(carrier: Carrier, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``carrier`` with arguments among which are tf_keras graph tensors, anywhere."""
    tensors: list[Any] = []

    def to_slot(x: Any) -> Any:
        if not tensorflow().is_tensor(x) and not hasattr(x, "_keras_history"):
            return x
        tensors.append(x)
        return Slot(len(tensors) - 1)

    template = Template(*tensorflow().nest.map_structure(to_slot, (tuple(args), dict(kwargs))))
    return carrier(tensors, template=template)
