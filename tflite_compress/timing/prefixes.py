"""Cut a model behind each of its operators. The times of neighbouring cuts differ by that of one operator."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from tflite_compress.inspection.weights import find_unpacked_constants
from tflite_compress.tflite.flatbuffer import pack, unpack
from tflite_compress.tflite.tree import Buffer, ModelTree, Operator


@dataclass(frozen=True)
class Prefix:
    """A model up to and including one of its operators.

    Attributes:
        index: Index of the last operator in the main graph.
        content: The file.
    """

    index: int
    content: bytes


def find_cuts(model: ModelTree) -> list[int]:
    """Return the indices of the operators that a decoded file can be cut behind, in order of execution."""
    graph = model.subgraphs[0]
    unpacked = find_unpacked_constants(model, graph)
    return [i for i, op in enumerate(graph.operators or []) if int(op.outputs[0]) not in unpacked]


def cut_model(content: bytes) -> Iterator[Prefix]:
    """Cut the main graph behind its first operator, its second, and so on.

    The outputs of a cut are all tensors that the rest would have read, so that no runtime skips work with an
    unused result. Weights of later operators are dropped. Operators that unpack a constant (float16 weights)
    stay with the operators that read it: runtimes run them once, when they load the file.

    Args:
        content: A valid ``.tflite``.

    Yields:
        One prefix per index of ``find_cuts``, one at a time; the last is the whole main graph.
    """
    model = unpack(content)
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], None
    graph = model.subgraphs[0]
    unpacked = find_unpacked_constants(model, graph)
    for last in find_cuts(model):
        yield Prefix(last, pack(_cut(model, last, unpacked)))


def _cut(model: ModelTree, last: int, unpacked: dict[int, int]) -> ModelTree:
    graph = model.subgraphs[0]
    rest = graph.operators[last + 1 :]
    read = {int(i) for op in graph.operators[: last + 1] for i in op.inputs}
    kept = [op for op in graph.operators[: last + 1] if not _needless(op, unpacked, read)]
    made = [int(i) for op in kept for i in op.outputs if int(i) not in unpacked]
    wanted = {int(i) for op in rest for i in op.inputs} | {int(i) for i in graph.outputs}
    part, short = copy.copy(model), copy.copy(graph)
    short.operators = kept
    short.outputs = [i for i in made if i in wanted] or [int(i) for i in kept[-1].outputs]
    part.subgraphs = [short, *model.subgraphs[1:]]
    used = {int(i) for op in kept for i in [*op.inputs, *op.outputs] if i >= 0}
    needed = {graph.tensors[i].buffer for i in used | {int(i) for i in graph.inputs}}
    needed |= {t.buffer for g in model.subgraphs[1:] for t in g.tensors}
    part.buffers = [b if i in needed else _empty(b) for i, b in enumerate(model.buffers)]
    return part


def _needless(op: Operator, unpacked: dict[int, int], read: set[int]) -> bool:
    """Return True for the unpacking of a constant that no kept operator reads."""
    output = int(op.outputs[0])
    return output in unpacked and output not in read


def _empty(buffer: Buffer) -> Buffer:
    hollow = copy.copy(buffer)
    hollow.data = None
    return hollow
