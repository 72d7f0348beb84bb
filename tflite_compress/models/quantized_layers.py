"""Classes of TF-MOT's quantized layers that can be loaded from a ``.keras`` file.

TF-MOT's own cannot: Keras builds them twice, and a wrapper of a layer that was built before it was wrapped
saved some of the layer's weights twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from tflite_compress.models.keras_types import Config

_PREFIX = "Quantize"
_WRAPPER = "QuantizeWrapper"


class _Variable(Protocol):
    def assign(self, value: np.ndarray) -> object: ...


class _Wrapper(Protocol):
    _trainable_weights: Sequence[_Variable]
    _non_trainable_weights: Sequence[_Variable]


def loadable(objects: Mapping[str, object]) -> dict[str, object]:
    """Return TF-MOT's classes with its quantized layers replaced by subclasses of the same name.

    Args:
        objects: Classes by name.
    """
    return {name: _replaced(name, found) for name, found in objects.items()}


def _replaced(name: str, found: object) -> object:
    if not isinstance(found, type) or not hasattr(found, "build_from_config"):
        return found
    methods: dict[str, object] = {"build_from_config": _build_when_called}
    if name.startswith(_WRAPPER):
        methods["load_own_variables"] = _load_last_variables
    return type(name, (found,), methods) if name.startswith(_PREFIX) else found


def _build_when_called(self: _Wrapper, config: Config) -> None:
    """Leave building to the first call, which the loader makes next."""


def _load_last_variables(self: _Wrapper, store: Mapping[str, np.ndarray]) -> None:
    """Assign the saved variables. Weights that were saved twice stand first."""
    own = [*self._trainable_weights, *self._non_trainable_weights]
    saved = [store[str(index)] for index in range(len(store.keys()))]
    for variable, value in zip(own, saved[len(saved) - len(own) :], strict=True):
        variable.assign(value)
