"""Store indices as int32 instead of int64, which GPUs refuse and LiteRT's CompiledModel cannot read."""

from __future__ import annotations

import copy

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import schema, type_name
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.tree import Operator, shape_of

CHANNELS_TOGETHER = 4  # that a GPU stores in one texel

# Operators that give an index or a size, which is within int32.
_SOURCES = frozenset(("ARG_MAX", "ARG_MIN", "SHAPE"))
_SMALL_TYPES = frozenset(("INT32", "INT16", "INT8", "UINT8", "BOOL", "INT64"))
# Operators that move, choose or compare numbers.
_MOVES = frozenset(
    """
    CAST CONCATENATION EQUAL EXPAND_DIMS GATHER GREATER GREATER_EQUAL LESS LESS_EQUAL MAXIMUM MINIMUM
    NOT_EQUAL PACK RESHAPE SELECT SELECT_V2 SLICE SPLIT SQUEEZE STRIDED_SLICE TRANSPOSE UNPACK
    """.split()
)


def narrow_indices(editor: GraphEditor) -> int:
    """Turn int64 tensors that only hold indices into int32, and return how many tensors were changed.

    Args:
        editor: The graph; edited in place.
    """
    wide = {i for i, tensor in enumerate(editor.graph.tensors) if type_name(tensor.type) == "INT64"}
    fixed = _fixed(editor, wide)
    while True:  # a tensor that stays int64 keeps those it is computed with
        more = {
            i
            for op in editor.graph.operators
            for i in _together(editor, op, wide)
            if i not in fixed and any(j in fixed for j in _together(editor, op, wide))
        }
        if not more:
            break
        fixed |= more
    chosen = wide - fixed
    for index in chosen:
        _narrow(editor, index)
    for op in editor.graph.operators:
        if int(op.outputs[0] if len(op.outputs) else -1) in chosen:
            _set_type(op)
    return len(chosen)


def _together(editor: GraphEditor, op: Operator, wide: set[int]) -> list[int]:
    """Return the int64 tensors of an operator that must have one type."""
    if editor.kind(op) == "CAST":
        return []
    return [int(i) for i in [*op.inputs, *op.outputs] if int(i) in wide]


def _fixed(editor: GraphEditor, wide: set[int]) -> set[int]:
    """Return the int64 tensors that must stay as they are."""
    made = {int(i): op for op in editor.graph.operators for i in op.outputs}
    fixed = {int(i) for i in editor.graph.inputs} & wide
    for index in wide:
        values = constant(editor.tensor(index), editor.tree)
        if (
            (values is not None and np.any(np.abs(values) > np.iinfo(np.int32).max))
            or (values is None and index not in made)
            or (index in made and not _gives_small(editor, made[index]))
        ):
            fixed.add(index)
    for op in editor.graph.operators:
        if editor.kind(op) not in _MOVES and editor.kind(op) not in _SOURCES:
            fixed |= {int(i) for i in [*op.inputs, *op.outputs] if int(i) in wide}
    return fixed


def _gives_small(editor: GraphEditor, op: Operator) -> bool:
    """Return True for an operator whose results are within int32 if its int64 inputs are."""
    kind = editor.kind(op)
    if kind == "CAST":
        return type_name(editor.tensor(int(op.inputs[0])).type) in _SMALL_TYPES
    if kind in ("ARG_MAX", "ARG_MIN") and not finds_index_on_gpu(editor, op):
        return False
    return kind in _SOURCES or kind in _MOVES


def finds_index_on_gpu(editor: GraphEditor, op: Operator) -> bool:
    """Return False for ARG_MAX or ARG_MIN among channels whose number is no multiple of 4.

    The GPU fills channels up with zeros and gives the index of one of those if all channels are negative
    (measured with ai-edge-litert 2.3.0).
    """
    axis = constant(editor.tensor(int(op.inputs[1])), editor.tree)
    shape = shape_of(editor.tensor(int(op.inputs[0])))
    if axis is None or not shape:
        return False
    chosen = int(axis.reshape(-1)[0]) % len(shape)
    return chosen != len(shape) - 1 or shape[-1] % CHANNELS_TOGETHER == 0


def _narrow(editor: GraphEditor, index: int) -> None:
    tensor = editor.tensor(index)
    values = constant(tensor, editor.tree)
    tensor.type = schema().TensorType.INT32
    if values is not None:
        buffer = copy.copy(editor.tree.buffers[tensor.buffer])
        buffer.data = np.frombuffer(values.astype(np.int32).tobytes(), np.uint8)
        editor.tree.buffers.append(buffer)
        tensor.buffer = len(editor.tree.buffers) - 1


def _set_type(op: Operator) -> None:
    """Set the type in the options of an operator that names the type of its output."""
    names = {"outputType", "outType", "outDataType"}
    if op.builtinOptions is not None and (held := names & vars(op.builtinOptions).keys()):
        op.builtinOptions = copy.copy(op.builtinOptions)
        for name in held:
            setattr(op.builtinOptions, name, schema().TensorType.INT32)
