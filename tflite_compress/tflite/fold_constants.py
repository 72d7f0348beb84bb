"""Replace operators whose results are known before the file runs by stored constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import schema, type_name
from tflite_compress.tflite.macs import CONSTANT_TYPES
from tflite_compress.tflite.operator_work import product
from tflite_compress.tflite.tree import Operator, shape_of

MAX_VALUES = 1024  # of a constant: larger ones make the file larger than the operator is
_SOURCES = frozenset(("SHAPE", "RANK"))
_SPARSE = "DENSIFY"
# Operators that compute more than a function of their inputs' values.
_IMPURE = ("RANDOM_", "VAR_", "HASHTABLE", "READ_", "ASSIGN_", "CALL", "IF", "WHILE", "CUSTOM", "STABLEHLO")


def has_shape_operator(editor: GraphEditor) -> bool:
    """Return True if the graph computes with the shape of a tensor."""
    return any(editor.kind(op) in _SOURCES for op in editor.graph.operators)


def has_sparse_weights(editor: GraphEditor) -> bool:
    """Return True if the file stores weights in the sparse format."""
    return any(editor.kind(op) == _SPARSE for op in editor.graph.operators)


def find_dense_weights(editor: GraphEditor) -> tuple[int, ...]:
    """Return the tensors that hold weights after they were read from the sparse format.

    Args:
        editor: The graph.
    """
    return tuple(int(op.outputs[0]) for op in editor.graph.operators if editor.kind(op) == _SPARSE)


def find_shape_values(editor: GraphEditor, is_static: Callable[[int], bool]) -> tuple[int, ...]:
    """Return the tensors whose values follow from shapes that are known before the file runs.

    Args:
        editor: The graph.
        is_static: Whether the shape of a tensor, by its index, does not depend on the values of the inputs.
    """
    known: set[int] = set()
    for op in editor.graph.operators:
        if _follows(editor, op, known, is_static):
            known |= {int(i) for i in op.outputs}
    return tuple(sorted(known))


def store_values(editor: GraphEditor, values: Mapping[int, np.ndarray]) -> None:
    """Store values in the file and drop the operators that compute them.

    Args:
        editor: The graph; edited in place.
        values: Values by index of the tensor, in its shape and dtype.
    """
    for index, value in values.items():
        data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        editor.tree.buffers.append(schema().BufferT(data=data))
        tensor = editor.tensor(index)
        tensor.buffer = len(editor.tree.buffers) - 1
        tensor.shape, tensor.shapeSignature = list(value.shape), None
    editor.graph.operators = [
        op for op in editor.graph.operators if not any(int(i) in values for i in op.outputs)
    ]


def _follows(editor: GraphEditor, op: Operator, known: set[int], is_static: Callable[[int], bool]) -> bool:
    """Return True if an operator's results follow from shapes, and can be stored."""
    kind, given = editor.kind(op), [int(i) for i in op.inputs if i >= 0]
    outputs = [int(i) for i in op.outputs]
    if not all(is_static(i) and _can_be_stored(editor, i) for i in outputs):
        return False
    if kind in _SOURCES:
        return all(is_static(i) for i in given)
    is_pure = not kind.startswith(_IMPURE) and kind in vars(schema().BuiltinOperator)
    return (
        is_pure and any(i in known for i in given) and all(i in known or editor.is_constant(i) for i in given)
    )


def _can_be_stored(editor: GraphEditor, index: int) -> bool:
    """Return True for a small tensor of a plain type that is no output of the file."""
    tensor = editor.tensor(index)
    is_output = index in {int(i) for i in editor.graph.outputs}
    size = product(shape_of(tensor))
    return not is_output and type_name(tensor.type) in CONSTANT_TYPES and 0 < size <= MAX_VALUES
