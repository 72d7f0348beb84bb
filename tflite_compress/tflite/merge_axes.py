"""Compute operators of five dimensions or more with four or fewer, by merging axes that stay together.

Neighbouring axes that an operator treats alike are one axis of the product of their sizes. Reshapes before
and after the operator merge and split them. Reshapes of reshapes are then joined, so that a chain of such
operators stays merged from end to end.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.replace_operators import add_shaped, has_fixed_shape, reshape
from tflite_compress.tflite.tree import Operator, shape_of

MAX_RANK = 4
Shape = tuple[int, ...]

_ELEMENTWISE = frozenset(
    """
    ABS ADD CAST CEIL COS DIV ELU EQUAL EXP FLOOR GELU GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS
    LESS_EQUAL LOG LOGISTIC MAXIMUM MINIMUM MUL NEG NOT_EQUAL POW RELU RELU6 RELU_N1_TO_1 ROUND RSQRT
    SELECT_V2 SIN SQRT SQUARE SQUARED_DIFFERENCE SUB TANH
    """.split()
)
_REDUCTIONS = frozenset("MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD".split())


def merge_axes(editor: GraphEditor) -> int:
    """Rewrite operators of five dimensions or more, and return how many were rewritten.

    Args:
        editor: The graph; edited in place.
    """
    operators: list[Operator] = []
    count = 0
    for op in editor.graph.operators:
        made = _merged(editor, op)
        count += bool(made)
        operators += made or [op]
    editor.graph.operators = operators
    if count:
        join_reshapes(editor)
    return count


def join_reshapes(editor: GraphEditor) -> None:
    """Read the source of a reshape of a reshape directly, and drop reshapes that nobody reads or needs."""
    sources: dict[int, int] = {}
    outputs = {int(i) for i in editor.graph.outputs}
    for op in editor.graph.operators:
        op.inputs = [_origin(editor, sources, op, place) for place in range(len(op.inputs))]
        if editor.kind(op) == "RESHAPE":
            sources[int(op.outputs[0])] = int(op.inputs[0])
    while True:
        read = {int(i) for op in editor.graph.operators for i in op.inputs} | outputs
        kept = [
            op for op in editor.graph.operators if editor.kind(op) != "RESHAPE" or int(op.outputs[0]) in read
        ]
        if len(kept) == len(editor.graph.operators):
            return
        editor.graph.operators = kept


def _origin(editor: GraphEditor, sources: dict[int, int], op: Operator, place: int) -> int:
    """Return the tensor that an operator may read in place of a reshaped one."""
    index = int(op.inputs[place])
    origin = sources.get(index)
    if origin is None or place:
        if origin is None or shape_of(editor.tensor(origin)) != shape_of(editor.tensor(index)):
            return index
        return origin
    same = shape_of(editor.tensor(origin)) == shape_of(editor.tensor(index))
    return origin if same or editor.kind(op) == "RESHAPE" else index


def _merged(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return an operator with fewer axes and its reshapes; empty to keep it."""
    tensors = [int(i) for i in [*op.inputs, *op.outputs] if i >= 0]
    if len(op.outputs) != 1 or not all(has_fixed_shape(editor, i) for i in tensors):
        return []
    if max(len(shape_of(editor.tensor(i))) for i in tensors) <= MAX_RANK:
        return []
    kind = editor.kind(op)
    rewrite: Callable[[GraphEditor, Operator], list[Operator]] | None = None
    if kind in _ELEMENTWISE:
        rewrite = _elementwise
    elif kind in _REDUCTIONS:
        rewrite = _reduction
    elif kind == "TRANSPOSE":
        rewrite = _transpose
    elif kind == "SOFTMAX":
        rewrite = _softmax
    return rewrite(editor, op) if rewrite is not None else []


def group_axes(alike: Sequence[object]) -> list[list[int]]:
    """Return runs of neighbouring axes with equal marks; an axis of size 1 has the mark None and joins any.

    Args:
        alike: The mark of each axis.
    """
    groups: list[list[int]] = []
    mark: object = None
    for axis, own in enumerate(alike):
        if groups and (own is None or mark is None or own == mark):
            groups[-1].append(axis)
        else:
            groups.append([axis])
            mark = None
        mark = own if own is not None else mark
    return groups


def _sizes(shape: Shape, groups: list[list[int]]) -> Shape:
    return tuple(math.prod(shape[axis] for axis in group) for group in groups)


def _elementwise(editor: GraphEditor, op: Operator) -> list[Operator]:
    output = shape_of(editor.tensor(int(op.outputs[0])))
    inputs = [shape_of(editor.tensor(int(i))) for i in op.inputs]
    padded = [(1,) * (len(output) - len(shape)) + shape for shape in inputs]
    marks = [
        None if size == 1 else tuple(shape[axis] == size for shape in padded)
        for axis, size in enumerate(output)
    ]
    groups = group_axes(marks)
    if len(groups) > MAX_RANK:
        return []
    made, places = _reshaped_inputs(editor, op, [_sizes(shape, groups) for shape in padded])
    return _around(editor, op, made, places, _sizes(output, groups))


def _reshaped_inputs(
    editor: GraphEditor, op: Operator, shapes: Sequence[Shape]
) -> tuple[list[Operator], list[int]]:
    made, places = [], []
    for index, shape in zip((int(i) for i in op.inputs), shapes, strict=True):
        values = constant(editor.tensor(index), editor.tree)
        if values is not None and index not in editor.stored:
            twin = copy.copy(editor.tensor(index))
            twin.shape, twin.shapeSignature = list(shape), None
            editor.graph.tensors.append(twin)
            places.append(len(editor.graph.tensors) - 1)
            continue
        places.append(add_shaped(editor, index, shape, "merged"))
        made.append(reshape(editor, index, places[-1]))
    return made, places


def _around(
    editor: GraphEditor, op: Operator, before: list[Operator], inputs: list[int], shape: Shape
) -> list[Operator]:
    """Return an operator on merged inputs, and the reshape that splits its output again."""
    target = int(op.outputs[0])
    merged = add_shaped(editor, target, shape, "merged")
    twin = editor.operator(editor.kind(op), inputs, [merged], version=_version(editor, op))
    twin.builtinOptions, twin.builtinOptionsType = op.builtinOptions, op.builtinOptionsType
    return [*before, twin, reshape(editor, merged, target)]


def _version(editor: GraphEditor, op: Operator) -> int:
    """Return the operator's version, without those that stand for five dimensions."""
    version = editor.tree.operatorCodes[op.opcodeIndex].version
    return 1 if editor.kind(op) in ("ADD", "SUB", "MUL", "DIV") else version


def _reduction(editor: GraphEditor, op: Operator) -> list[Operator]:
    source, target = int(op.inputs[0]), int(op.outputs[0])
    shape = shape_of(editor.tensor(source))
    axes = constant(editor.tensor(int(op.inputs[1])), editor.tree)
    if axes is None:
        return []
    reduced = {int(axis) % len(shape) for axis in axes.reshape(-1)}
    groups = group_axes([None if size == 1 else axis in reduced for axis, size in enumerate(shape)])
    chosen = [n for n, group in enumerate(groups) if any(a in reduced and shape[a] > 1 for a in group)]
    if len(groups) > MAX_RANK or not chosen:
        return []
    merged = add_shaped(editor, source, _sizes(shape, groups), "merged")
    sizes = _sizes(shape, groups)
    result = add_shaped(
        editor, target, tuple(1 if n in chosen else s for n, s in enumerate(sizes)), "reduced"
    )
    axis = editor.add_constant("axes", np.array(chosen, np.int32))
    options = editor.options("ReducerOptions", keepDims=True)
    twin = editor.operator(editor.kind(op), [merged, axis], [result], options, version=_version(editor, op))
    return [reshape(editor, source, merged), twin, reshape(editor, result, target)]


def _transpose(editor: GraphEditor, op: Operator) -> list[Operator]:
    source, target = int(op.inputs[0]), int(op.outputs[0])
    shape = shape_of(editor.tensor(source))
    order = constant(editor.tensor(int(op.inputs[1])), editor.tree)
    if order is None:
        return []
    moved = [int(axis) for axis in order.reshape(-1) if shape[int(axis)] > 1]
    runs: list[list[int]] = []  # axes that stay next to each other, in the order of the output
    stay = [axis for axis in range(len(shape)) if shape[axis] > 1]
    for axis in moved:
        after = runs and stay.index(axis) == stay.index(runs[-1][-1]) + 1
        if after:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    given = sorted(range(len(runs)), key=lambda n: runs[n][0])
    if len(runs) > MAX_RANK or not runs:
        return []
    sizes = [math.prod(shape[axis] for axis in run) for run in runs]
    merged = add_shaped(editor, source, tuple(sizes[n] for n in given), "merged")
    result = add_shaped(editor, target, tuple(sizes), "moved")
    axes = editor.add_constant("order", np.array([given.index(n) for n in range(len(runs))], np.int32))
    twin = editor.operator("TRANSPOSE", [merged, axes], [result], editor.options("TransposeOptions"))
    return [reshape(editor, source, merged), twin, reshape(editor, result, target)]


def _softmax(editor: GraphEditor, op: Operator) -> list[Operator]:
    source = int(op.inputs[0])
    shape = shape_of(editor.tensor(source))
    flat = (math.prod(shape[:-1]), shape[-1])
    merged = add_shaped(editor, source, flat, "merged")
    return _around(editor, op, [reshape(editor, source, merged)], [merged], flat)
