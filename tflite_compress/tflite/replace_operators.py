"""Replace operators that GPUs refuse by others with the same result."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import type_name
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.narrow_indices import finds_index_on_gpu
from tflite_compress.tflite.tree import Operator, shape_of

PAD_RANK = 3  # fewest dimensions of a padding on the GPU


def replace_refused(editor: GraphEditor) -> dict[str, int]:
    """Replace operators, and return how many of each kind were replaced.

    SQUEEZE and EXPAND_DIMS become RESHAPE, BROADCAST_TO becomes TILE, PAD of one or two dimensions gets
    three, and BATCH_MATMUL with constants on the left is computed transposed. ARG_MAX of float32 goes over an
    axis on which the GPU finds the right index.

    Args:
        editor: The graph; edited in place.
    """
    replaced: dict[str, int] = {}
    operators: list[Operator] = []
    for op in editor.graph.operators:
        made = _replacement(editor, op)
        if made:
            replaced[editor.kind(op)] = replaced.get(editor.kind(op), 0) + 1
        operators += made or [op]
    editor.graph.operators = operators
    return replaced


def has_fixed_shape(editor: GraphEditor, index: int) -> bool:
    """Return True for a tensor whose dimensions are all known."""
    tensor = editor.tensor(index)
    signature = tensor.shapeSignature
    open_dimensions = signature is not None and any(int(d) < 0 for d in signature)
    return tensor.shape is not None and not open_dimensions


def reshape(editor: GraphEditor, source: int, target: int) -> Operator:
    """Return an operator that writes a tensor's values into another one of the same size."""
    shape = shape_of(editor.tensor(target))
    wanted = editor.add_constant("shape", np.array(shape, np.int32))
    options = editor.options("ReshapeOptions", newShape=list(shape))
    return editor.operator("RESHAPE", [source, wanted], [target], options)


def add_shaped(editor: GraphEditor, like: int, shape: tuple[int, ...], name: str) -> int:
    """Add a tensor of another one's type and quantization with a shape of its own."""
    made = editor.add_tensor(name, shape, editor.tensor(like).type)
    editor.tensor(made).quantization = editor.tensor(like).quantization
    return made


def _replacement(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return the operators that take an operator's place; empty to keep it."""
    kind = editor.kind(op)
    tensors = [int(i) for i in [*op.inputs, *op.outputs] if i >= 0]
    if not all(has_fixed_shape(editor, i) for i in tensors):
        return []
    if kind in ("SQUEEZE", "EXPAND_DIMS"):
        return [reshape(editor, int(op.inputs[0]), int(op.outputs[0]))]
    if kind == "BROADCAST_TO":
        return _tiled(editor, op)
    if kind in ("PAD", "PADV2"):
        return _padded(editor, op)
    if kind == "BATCH_MATMUL":
        return _transposed_product(editor, op)
    if kind == "ARG_MAX":
        return _moved_index(editor, op)
    return []


def _tiled(editor: GraphEditor, op: Operator) -> list[Operator]:
    source, target = int(op.inputs[0]), int(op.outputs[0])
    wanted = shape_of(editor.tensor(target))
    shape = shape_of(editor.tensor(source))
    shape = (1,) * (len(wanted) - len(shape)) + shape
    made = []
    if shape != shape_of(editor.tensor(source)):
        padded = add_shaped(editor, source, shape, "broadcast_rank")
        made, source = [reshape(editor, source, padded)], padded
    times = np.array([w // s for w, s in zip(wanted, shape, strict=True)], np.int32)
    multiples = editor.add_constant("multiples", times)
    return [*made, editor.operator("TILE", [source, multiples], [target], editor.options("TileOptions"))]


def _padded(editor: GraphEditor, op: Operator) -> list[Operator]:
    source, target = int(op.inputs[0]), int(op.outputs[0])
    shape, wanted = shape_of(editor.tensor(source)), shape_of(editor.tensor(target))
    paddings = constant(editor.tensor(int(op.inputs[1])), editor.tree)
    if len(shape) >= PAD_RANK or not shape or paddings is None:
        return []
    extra = PAD_RANK - len(shape)
    wide = add_shaped(editor, source, (1,) * extra + shape, "pad_input")
    padded = add_shaped(editor, source, (1,) * extra + wanted, "pad_output")
    rows = np.concatenate([np.zeros((extra, 2), paddings.dtype), paddings]).astype(np.int32)
    inputs = [wide, editor.add_constant("paddings", rows), *(int(i) for i in op.inputs[2:])]
    pad = editor.operator(editor.kind(op), inputs, [padded], op.builtinOptions)
    return [reshape(editor, source, wide), pad, reshape(editor, padded, target)]


def _transposed_product(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return A x as the transpose of a fully connected layer on the transpose of x, for a constant A."""
    left, right, target = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
    values = editor.real_values(left)
    shape = shape_of(editor.tensor(right))
    is_plain = all(type_name(editor.tensor(i).type) == "FLOAT32" for i in (left, right, target))
    if values is None or editor.is_constant(right) or not is_plain or len(shape) < 2 or len(shape) > 4:
        return []
    matrix = values.reshape(values.shape[-2:]) if values.size == np.prod(values.shape[-2:]) else None
    if matrix is None:
        return []
    matrix = matrix.T if getattr(op.builtinOptions, "adjX", False) else matrix
    made, rows = [], right
    if not getattr(op.builtinOptions, "adjY", False):
        rows = add_shaped(editor, right, (*shape[:-2], shape[-1], shape[-2]), "columns")
        made.append(_swap(editor, right, rows))
    weights = editor.add_constant("left", np.ascontiguousarray(matrix))
    before = shape_of(editor.tensor(rows))
    product = add_shaped(editor, target, (*before[:-1], len(matrix)), "product")
    options = editor.options("FullyConnectedOptions", keepNumDims=True)
    made.append(editor.operator("FULLY_CONNECTED", [rows, weights, -1], [product], options, version=5))
    return [*made, _swap(editor, product, target)]


def _moved_index(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return the index over the last axis as one over the axis before it, with a last axis of size 1."""
    source, target = int(op.inputs[0]), int(op.outputs[0])
    shape = shape_of(editor.tensor(source))
    is_known = constant(editor.tensor(int(op.inputs[1])), editor.tree) is not None
    if not shape or not is_known or not editor.is_float(source) or finds_index_on_gpu(editor, op):
        return []
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    columns = add_shaped(editor, source, (1, rows, shape[-1], 1), "index_columns")
    found = add_shaped(editor, target, (1, rows, 1), "index_rows")
    axis = editor.add_constant("index_axis", np.array([2], np.int32))
    index = editor.operator("ARG_MAX", [columns, axis], [found], op.builtinOptions)
    return [reshape(editor, source, columns), index, reshape(editor, found, target)]


def _swap(editor: GraphEditor, source: int, target: int) -> Operator:
    """Return the transposition of the last two axes."""
    rank = len(shape_of(editor.tensor(source)))
    order = np.array([*range(rank - 2), rank - 1, rank - 2], np.int32)
    axes = editor.add_constant("order", order)
    return editor.operator("TRANSPOSE", [source, axes], [target], editor.options("TransposeOptions"))
