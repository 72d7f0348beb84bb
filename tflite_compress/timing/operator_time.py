"""The time of one operator or of several timed together, beside its work and the machine's maximum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, type_name
from tflite_compress.tflite.layer_names import NO_LAYERS
from tflite_compress.tflite.macs import find_stored
from tflite_compress.tflite.operator_work import count_operator
from tflite_compress.tflite.tree import ModelTree, Tensor, shape_of
from tflite_compress.timing.roofline import Roofline


@dataclass(frozen=True)
class OperatorTime:
    """The time of one operator, or of several that were timed together.

    Attributes:
        index: Index in the order of execution; of the last one of several.
        operator: Its name in ``schema.fbs``.
        layer: The Keras layer it came from, if the tensor names tell; else an empty string.
        joined: Names of the operators before it that were timed together with it.
        type: Type of its first input in ``schema.fbs``; None if it has no input.
        ms: Median time in ms; below the measurement noise it may be slightly negative.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end of its 95 % interval.
        macs: Multiply-accumulates (MACs); None if they cannot be counted.
        moved_bytes: Bytes of its inputs, weights and outputs.
        gmacs_per_s: Achieved 10^9 MACs per second; None without MACs, or below the measurement noise.
        attainable: The machine's maximum for it in 10^9 MACs per second; None if it was not measured.
        bound: What limits that maximum; None if it was not measured.
    """

    index: int
    operator: str
    layer: str
    joined: tuple[str, ...]
    type: str | None
    ms: float
    low_ms: float
    high_ms: float
    macs: int | None
    moved_bytes: int
    gmacs_per_s: float | None
    attainable: float | None
    bound: Literal["compute", "memory"] | None

    @property
    def is_above_noise(self) -> bool:
        """True if the time is above the measurement noise."""
        return self.low_ms > 0

    @property
    def kinds(self) -> str:
        """The operator, or all that were timed together with their counts, as text."""
        counts = Counter([*self.joined, self.operator])
        return ", ".join(f"{n} {kind}" if len(self.joined) else kind for kind, n in counts.items())


def time_operators(
    tree: ModelTree, indices: range, own_ms: np.ndarray, best: Roofline | None
) -> OperatorTime:
    """Return the time of operators that were timed together.

    Args:
        tree: The model.
        indices: Indices of the operators in the main graph.
        own_ms: Their time in each round in ms.
        best: The machine's peak rates; None if they were not measured.
    """
    graph = tree.subgraphs[0]
    unpacked = find_stored(tree, graph)
    every = [graph.operators[i] for i in indices]
    operators = [op for op in every if not any(int(i) in unpacked for i in op.outputs)] or every
    last, kinds = operators[-1], [operator_name(tree, op) for op in operators]
    ms, low, high = _median(own_ms)
    counted = [count_operator(kind, op, graph) for kind, op in zip(kinds, operators, strict=True)]
    macs = None if any(n is None for n in counted) else sum(n or 0 for n in counted)
    moved = sum(_bytes(graph.tensors[i]) for op in operators for i in [*op.inputs, *op.outputs] if i >= 0)
    type_ = type_name(graph.tensors[last.inputs[0]].type) if len(last.inputs) else None
    attainable = None if type_ is None or best is None else best.attainable(type_, macs or 0, moved)
    bound: Literal["compute", "memory"] | None = None
    if best is not None and type_ is not None and attainable is not None:
        bound = "compute" if attainable == best.gmacs_per_s[type_] else "memory"
    return OperatorTime(
        indices[-1],
        kinds[-1],
        NO_LAYERS.layer_of(tree, graph, last),
        tuple(kinds[:-1]),
        type_,
        ms,
        low,
        high,
        macs,
        moved,
        macs / ms / 1e6 if macs and low > 0 else None,
        attainable,
        bound,
    )


def _median(values: np.ndarray) -> tuple[float, float, float]:
    """Return the median with its bootstrapped 95 % interval."""
    drawn = np.random.default_rng(0).choice(values, (1000, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(np.median(values)), float(low), float(high)


def _bytes(tensor: Tensor) -> int:
    shape = [max(1, d) for d in shape_of(tensor)]
    return int(np.prod(shape, dtype=np.int64) * element_bytes(tensor.type))
