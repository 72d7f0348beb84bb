"""Inspect a ``.tflite``: operators, weights, sizes. Nothing is run."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from tflite_compress.data.opened_file import with_input_shape
from tflite_compress.inspection.operator_rows import OperatorRow, read_operator_rows
from tflite_compress.inspection.parts import measure_parts
from tflite_compress.inspection.weights import WeightTensor, read_weights
from tflite_compress.support.input_shape import InputShape
from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, read_tree, type_name
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.macs import find_stored
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature
from tflite_compress.tflite.tree import Graph, ModelTree, Tensor, shape_of

_NO_MEMORY_OF_ITS_OWN = (
    "RESHAPE",
    "SQUEEZE",
    "EXPAND_DIMS",
)  # the output shares the input's memory
MAX_IN_REPR = 6


@dataclass(frozen=True, repr=False)
class Inspection:
    """The contents of a file.

    Attributes:
        path: The file.
        bytes: Size of the file.
        inputs: Inputs with name, shape, type and quantization.
        outputs: Outputs with name, shape, type and quantization.
        operators: The operators in order of execution.
        tensors: Number of tensors by type.
        weights: The weight tensors.
        parts: Bytes by purpose; they add up to the file.
        macs: Multiply-accumulates (MACs) of all operators that are counted.
        activations_bytes: Peak bytes of the activations alive at the same time. A tensor arena needs at least
            this, and the runtime's own structures in addition.
    """

    path: str
    bytes: int
    inputs: tuple[FileTensorSpec, ...]
    outputs: tuple[FileTensorSpec, ...]
    operators: tuple[OperatorRow, ...]
    tensors: dict[str, int]
    weights: tuple[WeightTensor, ...]
    parts: dict[str, int]
    macs: int
    activations_bytes: int

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Names of operators whose MACs are not counted."""
        return tuple(sorted({op.name for op in self.operators if op.macs is None}))

    @property
    def lossless_bytes(self) -> int:
        """Bytes of all weights under an ideal entropy code of single values; shared ones count once."""
        return sum(w.lossless_bytes for w in {w.buffer: w for w in self.weights}.values())

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights; shared ones count once."""
        return sum(w.bytes for w in {w.buffer: w for w in self.weights}.values())

    def __repr__(self) -> str:
        kinds = Counter(op.name for op in self.operators).most_common(MAX_IN_REPR)
        operators = ", ".join(f"{count} {name[:40]}" for name, count in kinds)
        figures = f"{self.bytes:,} bytes, {self.macs:,} MACs, {len(self.operators)} operators"
        return f"<Inspection of {self.path[-200:]}: {figures} ({operators})>"

    def _repr_html_(self) -> str:
        """Return the operators as an HTML table for notebooks."""
        rows = "".join(
            f"<tr><td>{op.index}</td><td>{escape(op.name)}</td><td>{escape(op.layer)}</td>"
            f"<td>{escape(op.type or '')}</td><td>{'x'.join(map(str, op.shape))}</td>"
            f"<td>{'' if op.macs is None else f'{op.macs:,}'}</td></tr>"
            for op in self.operators
        )
        columns = ("#", "operator", "layer", "type", "output shape", "MACs")
        head = "".join(f"<th>{column}</th>" for column in columns)
        title = f"{self.path}: {self.bytes:,} bytes, {self.macs:,} MACs"
        return f"<p>{escape(title)}</p><table><tr>{head}</tr>{rows}</table>"


def inspect(path: str | os.PathLike[str], input_shape: InputShape | None = None) -> Inspection:
    """Inspect a ``.tflite``; nothing is run, except to find the shapes that ``input_shape`` leads to.

    Args:
        path: The file.
        input_shape: Sizes of the inputs without the batch, for open dimensions; these count as 1 by default.

    Returns:
        Operators, weights, sizes and MACs.

    Raises:
        ModelError: The file is missing, not a ``.tflite``, or damaged.
    """
    content = read_validated(Path(path))
    sized = content if input_shape is None else with_input_shape(content, input_shape)[0]
    model = read_tree(sized)
    signature = read_signature(sized)
    weights = read_weights(model)
    operators = read_operator_rows(model)
    kinds = Counter(type_name(t.type) for g in model.subgraphs for t in g.tensors)
    return Inspection(
        str(path),
        len(content),
        signature.inputs,
        signature.outputs,
        operators,
        dict(kinds.most_common()),
        tuple(weights),
        measure_parts(content, frozenset(w.buffer for w in weights)),
        sum(op.macs or 0 for op in operators),
        max((peak_bytes(model, graph) for graph in model.subgraphs), default=0),
    )


def peak_bytes(model: ModelTree, graph: Graph) -> int:
    """Return the peak bytes of activations alive at the same time, in the file's order of execution.

    Weights stored as float16 and unpacked at run time do not count: XNNPACK and GPU delegates read float16.

    Args:
        model: The decoded tree.
        graph: One of its subgraphs.
    """
    operators = graph.operators or []
    born: dict[int, int] = {int(i): -1 for i in graph.inputs}
    dies: dict[int, int] = {int(i): len(operators) for i in graph.outputs}
    same: dict[int, int] = {}
    unpacked = find_stored(model, graph, ("DEQUANTIZE",))
    for step, op in enumerate(operators):
        for index in (int(i) for i in op.inputs if i >= 0):
            dies[index] = max(dies.get(index, step), step)
        for index in (int(i) for i in op.outputs):
            born[index] = step
            dies.setdefault(index, step)
        if operator_name(model, op) in _NO_MEMORY_OF_ITS_OWN:
            same[int(op.outputs[0])] = int(op.inputs[0])
    for copy, original in reversed(same.items()):
        dies[original] = max(dies.get(original, 0), dies[copy])
    change = np.zeros(len(operators) + 3, np.int64)
    for index, step in born.items():
        if index not in same and index not in unpacked:
            size = _bytes(graph.tensors[index])
            change[step + 1] += size
            change[dies.get(index, step) + 2] -= size
    return int(np.cumsum(change).max(initial=0))


def _bytes(tensor: Tensor) -> int:
    shape = [max(1, d) for d in shape_of(tensor)]
    return int(np.prod(shape, dtype=np.int64) * element_bytes(tensor.type))
