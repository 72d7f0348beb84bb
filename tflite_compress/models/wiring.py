"""Which layers read which in a flat functional tf_keras model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from tflite_compress.models.keras_types import KerasModel, Tensor


@dataclass(frozen=True)
class Wiring:
    """The neighbours of each layer, by name.

    Attributes:
        layers: The layers.
        readers: Layers that read a layer's output, one entry per use.
        sources: Layers a layer reads.
        outputs: Layers whose output is one of the model's.
        shared: Layers used more than once.
    """

    layers: dict[str, Any]
    readers: dict[str, tuple[str, ...]]
    sources: dict[str, tuple[str, ...]]
    outputs: frozenset[str]
    shared: frozenset[str]

    def only_reader(self, name: str) -> str | None:
        """Return the only layer that reads a layer's output, or None if there are more or other uses."""
        readers = self.readers.get(name, ())
        if len(readers) != 1 or name in self.outputs or name in self.shared or readers[0] in self.shared:
            return None
        return readers[0] if len(self.sources[readers[0]]) == 1 else None


def wiring(model: KerasModel) -> Wiring:
    """Return the wiring of a functional tf_keras model without nested models."""
    readers: dict[str, list[str]] = {layer.name: [] for layer in model.layers}
    sources: dict[str, list[str]] = {layer.name: [] for layer in model.layers}
    uses: dict[str, int] = {}
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            name = node.layer.name
            uses[name] = uses.get(name, 0) + 1
            for parent in node.parent_nodes:
                readers[parent.layer.name].append(name)
                sources[name].append(parent.layer.name)
    return Wiring(
        {layer.name: layer for layer in model.layers},
        {name: tuple(found) for name, found in readers.items()},
        {name: tuple(found) for name, found in sources.items()},
        frozenset(layer.name for layer in model._output_layers),
        frozenset(name for name, count in uses.items() if count > 1),
    )


def output_tensors(model: KerasModel, name: str) -> list[Tensor]:
    """Return the outputs of a layer in a model. Another model may use the same layer.

    Args:
        model: A functional tf_keras model.
        name: A layer that is used once.
    """
    nodes = (node for nodes in model._nodes_by_depth.values() for node in nodes)
    found = next(node.outputs for node in nodes if node.layer.name == name)
    return cast("list[Tensor]", [*found] if isinstance(found, (list, tuple)) else [found])
