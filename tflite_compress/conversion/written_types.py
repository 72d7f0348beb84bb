"""Read from a quantized file which precision each layer got, and compare it with what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from tflite_compress.conversion import LayerType
from tflite_compress.support.notes import Note, named
from tflite_compress.tflite.flatbuffer import operator_name, read_tree, tensor_name, type_name
from tflite_compress.tflite.layer_names import LayerTable
from tflite_compress.tflite.macs import find_stored, find_weights
from tflite_compress.tflite.tree import Graph, ModelTree, Operator

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
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
    tree = read_tree(content)
    types: dict[str, set[LayerType]] = {}
    weights: dict[str, dict[str, int]] = {}
    for graph in tree.subgraphs:
        stored = find_stored(tree, graph)
        for op in graph.operators or []:
            kind, layer = operator_name(tree, op), layers.layer_of(tree, graph, op)
            if kind in CONVERSIONS or not len(op.outputs):
                continue
            counted = _counted(tree, graph, op, kind, stored)
            for type_, count in counted.items():
                counts = weights.setdefault(layer, {})
                counts[type_] = counts.get(type_, 0) + count
            output = _OF_OUTPUT.get(type_name(graph.tensors[op.outputs[0]].type))
            found: LayerType | None = "int4" if "INT4" in counted else output
            if found is not None:
                types.setdefault(layer, set()).add(found)
    return {name: WrittenLayer(frozenset(found), weights.get(name, {})) for name, found in types.items()}


def _counted(
    tree: ModelTree, graph: Graph, op: Operator, kind: str, stored: dict[int, int]
) -> dict[str, int]:
    """Return the number of constant weights of an operator by type."""
    found: dict[str, int] = {}
    for _, tensor, values in find_weights(kind, op, graph, tree, stored):
        type_ = type_name(tensor.type)
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
        found = [n for n, t in asked.items() if t == type_ and n in written and t in written[n].types]
        names = named(found, MAX_NAMED)
        if found and type_ == "int4":
            four = sum(layer.weights.get("INT4", 0) for layer in written.values())
            text = f"4-bit weights in the file: {four / max(1, total):.0%} of the weights ({names})"
            notes.append(Note("layer-types-written", text))
        elif found:
            notes.append(Note("layer-types-written", f"{type_} in the file: {names}"))
    missing = [n for n, t in asked.items() if n not in written or t not in written[n].types]
    if missing:
        parts = [f"{n} ({_state(written.get(n))}, not {asked[n]})" for n in missing]
        text = f"layers without the precision asked for: {named(parts, MAX_NAMED)}"
        notes.append(Note("layer-types-missing", text, "warning"))
    return tuple(notes)


def _state(layer: WrittenLayer | None) -> str:
    return "no operator of its own" if layer is None else " and ".join(sorted(layer.types))


def operators_in_float(content: bytes, expected: Set[str]) -> tuple[str, ...]:
    """Return the kinds of operators that compute in float32 in a quantized file.

    Args:
        content: A ``.tflite``.
        expected: Names of output tensors that were to stay in float32, which do not count.
    """
    tree = read_tree(content)
    graph = tree.subgraphs[0]
    found = set()
    for op in graph.operators:
        tensor = graph.tensors[op.outputs[0]]
        kind = operator_name(tree, op)
        is_float = type_name(tensor.type) == "FLOAT32"
        if is_float and kind not in CONVERSIONS and tensor_name(tensor) not in expected:
            found.add(kind)
    return tuple(sorted(found))
