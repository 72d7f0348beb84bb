"""Compare the contents of two ``.tflite`` files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tflite_compress.inspection.inspect_file import Inspection
from tflite_compress.inspection.weights import WeightTensor

MACS, OPERATORS = "MACs", "operators"
COUNTS = frozenset({MACS, OPERATORS})  # figures that are not bytes


@dataclass(frozen=True)
class Difference:
    """The differences between two files.

    Attributes:
        figures: Each figure by name, before and after; equal ones too.
        operators: Number of operators by name, before and after, if they differ.
        layers: Weights by layer, before and after (None if it has none), if they differ.
    """

    figures: dict[str, tuple[int, int]]
    operators: dict[str, tuple[int, int]]
    layers: dict[str, tuple[WeightTensor | None, WeightTensor | None]]


def compare_inspections(before: Inspection, after: Inspection) -> Difference:
    """Compare two files; layers are matched by name.

    Args:
        before: Inspection of the first file.
        after: Inspection of the second file.
    """
    pairs = {
        "bytes": (before.bytes, after.bytes),
        **{part: (before.parts[part], after.parts[part]) for part in before.parts},
        MACS: (before.macs, after.macs),
        "activations at the peak": (before.activations_bytes, after.activations_bytes),
        OPERATORS: (len(before.operators), len(after.operators)),
    }
    kinds = [Counter(op.name for op in found.operators) for found in (before, after)]
    operators = {
        kind: (kinds[0][kind], kinds[1][kind])
        for kind in sorted(kinds[0] | kinds[1])
        if kinds[0][kind] != kinds[1][kind]
    }
    layers = [_by_layer(found) for found in (before, after)]
    both = {name: (layers[0].get(name), layers[1].get(name)) for name in [*layers[0], *layers[1]]}
    changed = {name: pair for name, pair in both.items() if _figures(pair[0]) != _figures(pair[1])}
    return Difference(pairs, operators, changed)


def _by_layer(found: Inspection) -> dict[str, WeightTensor]:
    """Return weights by layer; further tensors of a layer get a number."""
    named: dict[str, WeightTensor] = {}
    for tensor in found.weights:
        name, number = tensor.layer, 2
        while name in named:
            name, number = f"{tensor.layer} ({number})", number + 1
        named[name] = tensor
    return named


def _figures(tensor: WeightTensor | None) -> tuple[object, ...]:
    if tensor is None:
        return ()
    return tensor.type, tensor.shape, tensor.zeros, tensor.distinct, tensor.entropy_bits
