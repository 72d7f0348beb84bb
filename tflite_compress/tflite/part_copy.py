"""Copies of some tensors and operators of a graph, for files with a part of it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from tflite_compress.tflite.flatbuffer import schema
from tflite_compress.tflite.partition import is_stored
from tflite_compress.tflite.tree import Buffer, Graph, ModelTree, Operator, Tensor


def copy_tensors(tree: ModelTree, graph: Graph, used: Iterable[int]) -> tuple[list[Tensor], list[Buffer]]:
    """Return copies of tensors, and buffers with the values of those that are stored; the first is empty.

    Args:
        tree: The decoded file.
        graph: The tensors' graph.
        used: Indices of the tensors, in the order of the copies.
    """
    tensors: list[Tensor] = []
    buffers: list[Buffer] = [schema().BufferT()]
    for index in used:
        tensor = copy.copy(graph.tensors[index])
        if is_stored(tree, graph, index):
            buffers.append(tree.buffers[tensor.buffer])
            tensor.buffer = len(buffers) - 1
        else:
            tensor.buffer = 0
        tensors.append(tensor)
    return tensors, buffers


def copy_operator(op: Operator, number: Mapping[int, int]) -> Operator:
    """Return a copy of an operator with other indices of its tensors.

    Args:
        op: The operator.
        number: The new index by the old one; an input without one becomes -1, for none.
    """
    moved = copy.copy(op)
    moved.inputs = [number.get(int(i), -1) for i in op.inputs]
    moved.outputs = [number[int(i)] for i in op.outputs]
    moved.intermediates = None
    return moved
