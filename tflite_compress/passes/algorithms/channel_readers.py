"""The layers that read channels and can be solved for; see ``oneshot_channels``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.passes.algorithms.layer_grams import is_supported

if TYPE_CHECKING:
    from tflite_compress.channels.dependencies import Dependencies, LayerChannels
    from tflite_compress.models.keras_types import KerasModel, Layer
    from tflite_compress.models.wiring import Wiring


@dataclass(frozen=True, eq=False)
class Readers:
    """The layers that can be solved for.

    Attributes:
        groups: The group of each input channel, by layer, in graph order; negative for channels that stay.
        shifted: Layers without a bias, with the BatchNorm that takes a constant in its place.
        fixed: Groups that another layer reads or normalizes, by number, with the name of that layer.
    """

    groups: Mapping[str, np.ndarray]
    shifted: Mapping[str, str]
    fixed: Mapping[int, str]

    @property
    def reading(self) -> tuple[str, ...]:
        """The layers that read channels that can be removed."""
        return tuple(name for name, own in self.groups.items() if np.any(own >= 0))


def readers_of(model: KerasModel, dependencies: Dependencies) -> Readers:
    """Return the layers of a model that can be solved for, and the channels that must stay for others.

    Args:
        model: A tf_keras model.
        dependencies: Its channels.
    """
    from tflite_compress.models.wiring import wiring

    wires = wiring(model)
    found = {entry.layer.name: entry for entry in dependencies.layers}
    groups, fixed = {}, {}
    for layer in model.layers:
        entry = found.get(layer.name)
        if entry is None:
            continue
        if _is_solved(layer, entry) and layer.name not in wires.shared:
            groups[layer.name] = _groups_read(dependencies, entry)
        else:
            fixed.update(dict.fromkeys(_groups_needed(dependencies, entry), layer.name))
    shifted = {name: norm for name in groups if (norm := _norm_after(wires, name))}
    return Readers(groups, shifted, fixed)


def _is_solved(layer: Layer, entry: LayerChannels) -> bool:
    return is_supported(layer) and any(axis.role == "in" for axis in entry.weights[0])


def _groups_read(dependencies: Dependencies, entry: LayerChannels) -> np.ndarray:
    axis = next(axis for axis in entry.weights[0] if axis.role == "in")
    return dependencies.groups(axis.labels)


def _groups_needed(dependencies: Dependencies, entry: LayerChannels) -> set[int]:
    """Return the groups that a layer reads, or whose mean it takes."""
    mixes = type(entry.layer).__name__ == "LayerNormalization"
    axes = [axis for weight in entry.weights for axis in weight if axis.role == "in" or mixes]
    return {int(g) for axis in axes for g in dependencies.groups(axis.labels) if g >= 0}


def _norm_after(wires: Wiring, name: str) -> str | None:
    """Return the BatchNorm that alone reads a layer without a bias, or None."""
    layer, reader = wires.layers[name], wires.only_reader(name)
    if layer.use_bias or reader is None or _applies_function(layer):
        return None
    return reader if type(wires.layers[reader]).__name__ == "BatchNormalization" else None


def _applies_function(layer: Layer) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "linear") != "linear"
