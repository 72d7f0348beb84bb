"""Read from a quantized file which precision each layer got, and compare it with what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tflite_compress.conversion import LayerType
from tflite_compress.support.notes import Note
from tflite_compress.tflite.flatbuffer import operator_name, type_name, unpack
from tflite_compress.tflite.layer_names import LayerTable
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.operator_work import weight_inputs
from tflite_compress.tflite.tree import Graph, ModelTree, Operator

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
_OF_OUTPUT: dict[str, LayerType] = {"INT8": "int8", "INT16": "int16x8", "FLOAT32": "float32"}
MAX_NAMED = 8


@dataclass(frozen=True)
class WrittenLayer:
    """One layer in a file.

    Attributes:
        types: Precisions of its operators.
        weights: Number of weights by type, as in ``schema.fbs``.
    """

    types: frozenset[LayerType]
    weights: Mapping[str, int]


def written_layers(content: bytes, layers: LayerTable) -> dict[str, WrittenLayer]:
    """Return the precision of each layer, as the file has it.

    Args:
        content: A ``.tflite``.
        layers: The layers of the Keras model it was made from.

    Returns:
        The layers with operators in the file, by their names in the Keras model.
    """
    tree = unpack(content)
    types: dict[str, set[LayerType]] = {}
    weights: dict[str, dict[str, int]] = {}
    for graph in tree.subgraphs:
        for op in graph.operators or []:
            kind, layer = operator_name(tree, op), layers.layer_of(tree, graph, op)
            if kind in _CONVERSIONS or not len(op.outputs):
                continue
            stored = _stored(tree, graph, op, kind)
            for type_, count in stored.items():
                counts = weights.setdefault(layer, {})
                counts[type_] = counts.get(type_, 0) + count
            output = _OF_OUTPUT.get(type_name(graph.tensors[op.outputs[0]].type))
            found: LayerType | None = "int4" if "INT4" in stored else output
            if found is not None:
                types.setdefault(layer, set()).add(found)
    return {name: WrittenLayer(frozenset(found), weights.get(name, {})) for name, found in types.items()}


def _stored(tree: ModelTree, graph: Graph, op: Operator, kind: str) -> dict[str, int]:
    """Return the number of constant weights of an operator by type."""
    found: dict[str, int] = {}
    for index in weight_inputs(kind, op):
        values = constant(graph.tensors[index], tree)
        if values is not None:
            type_ = type_name(graph.tensors[index].type)
            found[type_] = found.get(type_, 0) + values.size
    return found


def type_notes(written: Mapping[str, WrittenLayer], asked: Mapping[str, LayerType]) -> tuple[Note, ...]:
    """Return notes on the precisions of single layers, read from the file.

    Args:
        written: The layers of the file.
        asked: Precision asked for, by layer.

    Returns:
        A note on each precision that the file has, and a warning that names the layers that did not get
        theirs.
    """
    notes = []
    total = sum(sum(layer.weights.values()) for layer in written.values())
    for type_ in dict.fromkeys(asked.values()):
        names = [n for n, t in asked.items() if t == type_ and n in written and t in written[n].types]
        if names and type_ == "int4":
            four = sum(layer.weights.get("INT4", 0) for layer in written.values())
            text = f"4-bit weights in the file: {four / max(1, total):.0%} of the weights ({_named(names)})"
            notes.append(Note("layer-types-written", text))
        elif names:
            notes.append(Note("layer-types-written", f"{type_} in the file: {_named(names)}"))
    missing = [n for n, t in asked.items() if n not in written or t not in written[n].types]
    if missing:
        parts = [f"{n} ({_state(written.get(n))}, not {asked[n]})" for n in missing]
        text = f"layers without the precision asked for: {_named(parts)}"
        notes.append(Note("layer-types-missing", text, "warning"))
    return tuple(notes)


def _state(layer: WrittenLayer | None) -> str:
    return "no operator of its own" if layer is None else " and ".join(sorted(layer.types))


def _named(names: list[str]) -> str:
    rest = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")
