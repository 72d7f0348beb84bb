"""Read from the written file what passes say they did: sparsity, channels and clusters of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tflite_compress.inspection.weights import WeightTensor, read_weights
from tflite_compress.models.layer_table import layer_table
from tflite_compress.passes import values as facts
from tflite_compress.passes.values import ConvertedModel
from tflite_compress.support.notes import Note, named
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.layer_names import WEIGHTED

MAX_NAMED = 8


@dataclass(frozen=True)
class Written:
    """What the file holds of each layer that a pass changed.

    Attributes:
        sparsity: Share of zeros in pruned layers, by layer.
        channels: Output channels of the original and of the file, by layer.
        clusters: Largest number of distinct values in a weight tensor of clustered layers, by layer.
        notes: Which layers were changed by a pass and are not found in the file.
    """

    sparsity: dict[str, float]
    channels: dict[str, tuple[int, int]]
    clusters: dict[str, int]
    notes: tuple[Note, ...]


def read_written(model: ConvertedModel) -> Written:
    """Read the weights of a converted model and compare them with what passes recorded.

    Args:
        model: A converted model. Encoded weights are read from the file before encoding.
    """
    sparsity = model.fact(facts.Sparsity).by_layer
    widths = model.fact(facts.ChannelWidths).by_layer
    clusters = model.fact(facts.Clusters).by_layer
    if not (sparsity or widths or clusters):
        return Written({}, {}, {}, ())
    found: dict[str, list[WeightTensor]] = {}
    for tensor in read_weights(read_tree(model.for_litert), layer_table(model.network)):
        found.setdefault(tensor.layer, []).append(tensor)
    channels = {name: _width(found[name]) for name in widths if name in found}
    return Written(
        {name: _sparsity(found[name]) for name in sparsity if name in found},
        {name: (widths[name][0], width) for name, width in channels.items() if width is not None},
        {name: max(t.distinct for t in found[name]) for name in clusters if name in found},
        _missing(found, {"pruned": sparsity, "narrowed": widths, "clustered": clusters}),
    )


def _sparsity(tensors: list[WeightTensor]) -> float:
    return sum(t.zeros for t in tensors) / max(1, sum(t.weights for t in tensors))


def _width(tensors: list[WeightTensor]) -> int | None:
    """Return the output channels of the last tensor with an axis for them."""
    axes = [(t, WEIGHTED[t.operator]) for t in tensors if t.operator in WEIGHTED]
    return axes[-1][0].shape[axes[-1][1]] if axes else None


def _missing(
    found: Mapping[str, list[WeightTensor]], changed: Mapping[str, Mapping[str, object]]
) -> tuple[Note, ...]:
    notes = []
    for what, layers in changed.items():
        names = [name for name in layers if name not in found]
        if names:
            text = f"{what} layers not found in the file by name: {named(names, MAX_NAMED)}"
            notes.append(Note("layers-not-found", text, "warning"))
    return tuple(notes)
