"""Cut a model behind each of its operators. The times of neighbouring cuts differ by that of one operator."""

from __future__ import annotations

import copy

from tflite_compress.tflite.flatbuffer import pack, read_tree, schema
from tflite_compress.tflite.macs import find_stored
from tflite_compress.tflite.tree import Buffer, Graph, ModelTree, Operator


def find_cuts(model: ModelTree) -> list[int]:
    """Return the indices of the operators that a decoded file can be cut behind, in order of execution.

    Operators that give no values (CALL_ONCE, VAR_HANDLE, ASSIGN_VARIABLE) belong to the next operator. The
    last cut is the whole main graph.
    """
    graph = model.subgraphs[0]
    unpacked = find_stored(model, graph)
    operators = list(graph.operators or [])
    found = [i for i, op in enumerate(operators) if any(j not in unpacked for j in _values(graph, op))]
    return [*found[:-1], len(operators) - 1] if found else []


def _values(graph: Graph, op: Operator) -> list[int]:
    """Return the outputs of an operator that hold values, not references to a resource."""
    references = (schema().TensorType.RESOURCE, schema().TensorType.VARIANT)
    return [int(i) for i in op.outputs if graph.tensors[int(i)].type not in references]


class CutModel:
    """A model that can be cut behind its operators.

    The outputs of a cut are all tensors that the rest would have read, so that no runtime skips work with an
    unused result. Weights of later operators are dropped. Operators that unpack a constant (float16 weights)
    stay with the operators that read it: runtimes run them once, when they load the file.

    Args:
        content: A valid ``.tflite``.
    """

    def __init__(self, content: bytes) -> None:
        self.tree = read_tree(content)
        self.cuts = find_cuts(self.tree)
        self._bare = copy.copy(self.tree)
        self._bare.signatureDefs, self._bare.metadata, self._bare.metadataBuffer = [], [], None
        self._unpacked = find_stored(self.tree, self.tree.subgraphs[0])

    def cut(self, last: int) -> bytes:
        """Return the model up to and including an operator.

        Args:
            last: One of ``cuts``.
        """
        return pack(_cut(self._bare, last, self._unpacked))


def _cut(model: ModelTree, last: int, unpacked: dict[int, int]) -> ModelTree:
    graph = model.subgraphs[0]
    rest = graph.operators[last + 1 :]
    read = {int(i) for op in graph.operators[: last + 1] for i in op.inputs}
    kept = [op for op in graph.operators[: last + 1] if not _needless(op, unpacked, read)]
    made = [i for op in kept for i in _values(graph, op) if i not in unpacked]
    wanted = {int(i) for op in rest for i in op.inputs} | {int(i) for i in graph.outputs}
    part, short = copy.copy(model), copy.copy(graph)
    short.operators = kept
    short.outputs = [i for i in made if i in wanted] or made[-1:]
    part.subgraphs = [short, *model.subgraphs[1:]]
    used = {int(i) for op in kept for i in [*op.inputs, *op.outputs] if i >= 0}
    needed = {graph.tensors[i].buffer for i in used | {int(i) for i in graph.inputs}}
    needed |= {t.buffer for g in model.subgraphs[1:] for t in g.tensors}
    part.buffers = [b if i in needed else _empty(b) for i, b in enumerate(model.buffers)]
    return part


def _needless(op: Operator, unpacked: dict[int, int], read: set[int]) -> bool:
    """Return True for the unpacking of a constant that no kept operator reads."""
    outputs = [int(i) for i in op.outputs]
    return any(i in unpacked for i in outputs) and not any(i in read for i in outputs)


def _empty(buffer: Buffer) -> Buffer:
    hollow = copy.copy(buffer)
    hollow.data = None
    return hollow
