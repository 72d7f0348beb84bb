"""Activation functions that a tf_keras layer keeps when it is copied from its configuration.

A configuration names an activation. tf_keras does not know the names that are new in Keras 3, and knows
``hard_sigmoid`` as another function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache

from tflite_compress.models.keras_types import Layer, Tensor
from tflite_compress.support.backend import tf_keras

PACKAGE = "tflite_compress"


@cache
def registered_activation(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a function that computes ``function`` and that tf_keras finds by its name.

    Args:
        function: A function of Keras 3 or of the user, or a layer used as an activation.
    """
    saving = tf_keras().saving

    def activation(x: Tensor) -> Tensor:
        return function(x)

    base = getattr(function, "__name__", type(function).__name__).strip("<>")
    name, count = f"carried_{base}", 1
    while saving.get_registered_object(f"{PACKAGE}>{name}") is not None:
        name, count = f"carried_{base}_{count}", count + 1
    activation.__name__ = name
    activation.__wrapped__ = function  # type: ignore[attr-defined]
    named: Callable[[Tensor], Tensor] = saving.register_keras_serializable(PACKAGE, name)(activation)
    return named


def activation_name(layer: Layer) -> str:
    """Return the name of a layer's activation as its author knows it; ``linear`` if it has none."""
    function = getattr(layer, "activation", None)
    if function is None:
        return "linear"
    function = inspect.unwrap(function)
    return str(getattr(function, "__name__", type(function).__name__))
