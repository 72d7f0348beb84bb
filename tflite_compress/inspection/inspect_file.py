"""Everything ``tflite-compress inspect`` tells, read from the file alone."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.inspection.parts import measure_parts
from tflite_compress.inspection.weights import WeightTensor, find_unpacked_constants, read_weights
from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, tensor_name, type_name, unpack
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.macs import operator_macs
from tflite_compress.tflite.slim_file import own_name
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature

_NO_MEMORY_OF_ITS_OWN = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")  # runtimes let the output lie on the input


@dataclass(frozen=True)
class OperatorRow:
    """One operator.

    Attributes:
        index: Place in the order of execution.
        graph: Which subgraph.
        name: As in ``schema.fbs``.
        layer: The layer it came from, as far as names tell.
        type: Type of its first output.
        shape: Of its first output.
        macs: Multiply-accumulates; None where the file does not tell.
        inputs: Tensors it reads that other operators made, or inputs of the graph.
        outputs: Tensors it makes.
    """

    index: int
    graph: int
    name: str
    layer: str
    type: str
    shape: tuple[int, ...]
    macs: int | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Inspection:
    """What a file holds.

    Attributes:
        path: The file.
        bytes: Its size.
        inputs: Ports, with shape, type and scale.
        outputs: Likewise.
        operators: In order of execution.
        tensors: How many tensors of each type.
        weights: Weight tensors.
        parts: Bytes by what they are for.
        macs: Multiply-accumulates of all that can be counted.
        activations_bytes: Estimate of the arena: what activations alive at the same time take at the peak.
            A runtime's planner needs at least this, and its own structures besides.
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
    def lossless_bytes(self) -> int:
        """What a perfect coder of single values would need for all weights; shared ones count once."""
        return sum(w.lossless_bytes for w in {w.buffer: w for w in self.weights}.values())

    @property
    def weight_bytes(self) -> int:
        """What weights take; shared ones count once."""
        return sum(w.bytes for w in {w.buffer: w for w in self.weights}.values())


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Look into a ``.tflite``; nothing is run.

    Args:
        path: The file.

    Raises:
        ModelError: It is missing, no ``.tflite``, or damaged.
    """
    content = read_validated(Path(path))
    model = unpack(content)
    ports = read_signature(content)
    weights = read_weights(model)
    operators = tuple(_rows(model))
    kinds = Counter(type_name(t.type) for g in model.subgraphs for t in g.tensors)
    return Inspection(
        str(path),
        len(content),
        tuple(ports.inputs),
        tuple(ports.outputs),
        operators,
        dict(kinds.most_common()),
        tuple(weights),
        measure_parts(content, frozenset(w.buffer for w in weights)),
        sum(op.macs or 0 for op in operators),
        max((peak_bytes(model, graph) for graph in model.subgraphs), default=0),
    )


def peak_bytes(model: Any, graph: Any) -> int:
    """Most bytes of activations alive at once, running operators in the file's order.

    Weights stored as float16 and unpacked when run are left out: XNNPACK and GPU delegates read them so.

    Args:
        model: The ``ModelT`` tree.
        graph: One of its subgraphs.
    """
    operators = graph.operators or []
    born: dict[int, int] = {int(i): -1 for i in graph.inputs}
    dies: dict[int, int] = {int(i): len(operators) for i in graph.outputs}
    same: dict[int, int] = {}
    unpacked = find_unpacked_constants(model, graph)
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


def _rows(model: Any) -> list[OperatorRow]:
    rows: list[OperatorRow] = []
    for number, graph in enumerate(model.subgraphs):
        made = {int(i) for i in graph.inputs}
        made |= {int(i) for op in graph.operators or [] for i in op.outputs}
        for op in graph.operators or []:
            name = operator_name(model, op)
            output = graph.tensors[op.outputs[0]] if len(op.outputs) else None
            rows.append(
                OperatorRow(
                    len(rows),
                    number,
                    name,
                    "" if output is None else own_name(tensor_name(output), name),
                    "" if output is None else type_name(output.type),
                    () if output is None or output.shape is None else tuple(int(d) for d in output.shape),
                    operator_macs(name, op, graph) if output is not None else 0,
                    tuple(int(i) for i in op.inputs if i in made),
                    tuple(int(i) for i in op.outputs),
                )
            )
    return rows


def _bytes(tensor: Any) -> int:
    shape = [] if tensor.shape is None else [max(1, int(d)) for d in tensor.shape]
    return int(np.prod(shape, dtype=np.int64) * element_bytes(tensor.type))
