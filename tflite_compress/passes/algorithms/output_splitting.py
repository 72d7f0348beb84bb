"""Split a concatenated output whose parts have too different ranges for one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.inspection.shared_scale import is_lost
from tflite_compress.models.graph import output_names
from tflite_compress.models.keras_types import KerasModel, Layer, Tensor
from tflite_compress.models.network import Network, keras_network, safe_name
from tflite_compress.models.output_parts import JoinedOutput, OutputParts
from tflite_compress.passes.algorithms.movable_layers import MOVABLE, is_movable, move_behind, moved_axis
from tflite_compress.support.backend import tensorflow, tf_keras


@dataclass(frozen=True, eq=False)
class _Node:
    """A tensor, and the tensors that it concatenates.

    Attributes:
        tensor: The tensor.
        axis: Axis of the concatenation.
        parts: What is concatenated; empty for a tensor of another layer.
        before: The tensor before the layers that follow the concatenation; None if none follow.
    """

    tensor: Tensor
    axis: int = 0
    parts: tuple[_Node, ...] = ()
    before: Tensor | None = None

    @property
    def leaves(self) -> Iterator[_Node]:
        """Return the tensors that no concatenation makes."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves


Range = tuple[float, float]
Ranges = dict[_Node, tuple[Range, ...]]  # of the tensor, and before the layers behind the concatenation


def split_outputs(network: Network, inputs: tuple[np.ndarray, ...]) -> Network | None:
    """Return the network with outputs of their own for parts that would be lost; None if none would be.

    Args:
        network: An editable network.
        inputs: Calibration samples, one array per input, shape (samples, ...).
    """
    nodes = [_node_of(tensor) for tensor in network.handle.outputs]
    if not any(node.parts for node in nodes):
        return None
    ranges = _measured(network, [leaf for node in nodes for leaf in node.leaves], inputs)
    if not any(_is_split(node, ranges) for node in nodes):
        return None
    kept = [list(_kept(node, ranges)) for node in nodes]
    handle = tf_keras().Model(
        network.handle.inputs, [one.tensor for each in kept for one in each], name=network.handle.name
    )
    names = iter([safe_name(name) for name in output_names(handle)])
    sources = [_source(node, ranges, names) for node in nodes]
    pairs = zip(network.tensor_names[1], sources, strict=True)
    made = keras_network(handle, network.name, True)
    joined = tuple(JoinedOutput(name, source) for name, source in pairs)
    return Network(made.name, handle, network.inputs, made.outputs, True, joined_outputs=joined)


def _node_of(tensor: Tensor) -> _Node:
    history: tuple[Layer, int, int] = getattr(tensor, "_keras_history")  # noqa: B009
    layer, index, _ = history
    kind = type(layer).__name__
    if kind in MOVABLE and is_movable(layer):
        read: list[Tensor] = tensorflow().nest.flatten(layer._inbound_nodes[index].keras_inputs)
        found = _node_of(read[0])
        return replace(_behind(found, layer, tensor.shape), tensor=tensor) if found.parts else _Node(tensor)
    if kind != "Concatenate":
        return _Node(tensor)
    parts: list[Tensor] = tensorflow().nest.flatten(layer._inbound_nodes[index].keras_inputs)
    return _Node(
        tensor, int(layer.get_config()["axis"]) % len(tensor.shape), tuple(_node_of(part) for part in parts)
    )


def _behind(node: _Node, layer: Layer, shape: Sequence[int | None]) -> _Node:
    """Return a node with a layer moved from behind its concatenation to each part.

    Args:
        node: The concatenation, or a part.
        layer: The layer.
        shape: What the layer makes of the shape of the node.
    """
    tensor, parts = move_behind(layer, node.tensor, shape), []
    axis = moved_axis(layer, node.tensor.shape, shape, node.axis) if node.parts else None
    if axis is not None:
        for part in node.parts:
            part_shape = (*shape[:axis], part.tensor.shape[node.axis], *shape[axis + 1 :])
            parts.append(_behind(part, layer, part_shape))
    return _Node(tensor, axis or 0, tuple(parts), node.tensor if node.before is None else node.before)


def _measured(network: Network, leaves: list[_Node], inputs: tuple[np.ndarray, ...]) -> Ranges:
    """Return the smallest and largest value of each tensor on samples."""
    tensors = [(leaf.tensor, leaf.tensor if leaf.before is None else leaf.before) for leaf in leaves]
    probe: KerasModel = tf_keras().Model(network.handle.inputs, [one for pair in tensors for one in pair])
    values = [(float(x.min()), float(x.max())) for x in keras_network(probe, "ranges", True).predict(inputs)]
    return {leaf: tuple(values[2 * i : 2 * i + 2]) for i, leaf in enumerate(leaves)}


def _range(node: _Node, ranges: Ranges, place: int) -> Range:
    found = [ranges[leaf][place] for leaf in node.leaves]
    return min(low for low, _ in found), max(high for _, high in found)


def _is_split(node: _Node, ranges: Ranges) -> bool:
    lost = (
        is_lost(_range(part, ranges, place), _range(node, ranges, place))
        for part in node.parts
        for place in range(2)
    )
    return any(lost) or any(_is_split(part, ranges) for part in node.parts)


def _kept(node: _Node, ranges: Ranges) -> Iterator[_Node]:
    """Return the tensors that become outputs instead of a node."""
    if not _is_split(node, ranges):
        yield node
        return
    for part in node.parts:
        yield from _kept(part, ranges)


def _source(node: _Node, ranges: Ranges, names: Iterator[str]) -> str | OutputParts:
    if not _is_split(node, ranges):
        return next(names)
    return OutputParts(node.axis, tuple(_source(part, ranges, names) for part in node.parts))
