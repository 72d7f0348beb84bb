"""Scales for which integer kernels abort the process, and conversions between scales that avoid them.

Kernels turn ratios of scales into multipliers of integers, and assert that these lie in a range. The limits
are those of TensorFlow Lite's kernels (``quantization_util.cc``, ``add.cc``, ``squared_difference.cc``,
``comparisons.cc``, ``activations.cc``) and of their counterparts in TFLite Micro.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_name, pack, read_tree, type_name, unpack
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, read_scales

RATIOS = ("ADD", "SUB", "SQUARED_DIFFERENCE")
_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
_POSITIVE = (*RATIOS, *_COMPARISONS, "QUANTIZE", "BATCH_MATMUL")  # a scale of 0 crashes LiteRT
_SOFTMAX = ("SOFTMAX", "LOG_SOFTMAX")
_SHIFTS = {"INT8": 20, "UINT8": 20, "INT16": 15}  # by which ADD and SUB enlarge their inputs
_SQUARE_SHIFT = 14
_SOFTMAX_SHIFT = 26
_MARGIN = 1.001  # float32 scales are compared as float64


@dataclass(frozen=True)
class ScaleFault:
    """A scale for which a kernel aborts.

    Attributes:
        graph: The operator's graph.
        index: Place of the operator in it.
        tensor: Index of the tensor with the scale.
        is_output: True for an output of the operator, False for an input.
        scale: The scale.
        low: The scale must be above it.
        high: The scale must be below it; infinite where any larger scale works.
        is_everywhere: True if LiteRT aborts with any kernels, False if only its reference kernels or TFLite
            Micro do.
    """

    graph: Graph
    index: int
    tensor: int
    is_output: bool
    scale: float
    low: float
    high: float
    is_everywhere: bool

    def __str__(self) -> str:
        which = "output" if self.is_output else "input"
        needed = f"below {self.high:.3g}" if self.scale > self.low else f"above {self.low:.3g}"
        return f"its {which} has a scale of {self.scale:.3g}; the kernel needs a scale {needed}"


def find_scale_faults(model: ModelTree) -> Iterator[ScaleFault]:
    """Yield the scales of a file for which a kernel of LiteRT or TFLite Micro aborts.

    Args:
        model: A decoded file.
    """
    for graph in model.subgraphs:
        for index, op in enumerate(graph.operators or []):
            for tensor, is_output, low, high, is_everywhere in _limits(model, graph, op):
                scales = read_scales(graph.tensors[tensor])
                for scale in map(float, scales[~((scales > low) & (scales < high))][:1]):
                    yield ScaleFault(graph, index, tensor, is_output, scale, low, high, is_everywhere)


def _limits(model: ModelTree, graph: Graph, op: Operator) -> Iterator[tuple[int, bool, float, float, bool]]:
    """Yield tensor, whether it is an output, both bounds, and whether LiteRT aborts with any kernels."""
    kind, infinite = operator_name(model, op), float("inf")
    inputs = [int(i) for i in op.inputs[:2] if i >= 0]
    if kind in _POSITIVE:
        outputs = [] if kind in ("SUB", *_COMPARISONS) else [int(i) for i in op.outputs[:1]]
        for place, index in enumerate([*inputs, *outputs]):
            tensor = graph.tensors[index]
            if type_name(tensor.type) in _SHIFTS and len(read_scales(tensor)) == 1:
                yield index, place >= len(inputs), 0.0, infinite, True
    if not inputs or (kind_of := type_name(graph.tensors[inputs[0]].type)) not in _SHIFTS:
        return
    if kind in _COMPARISONS and kind_of != "INT16":
        yield from ((index, False, 0.0, 1.0, False) for index in inputs)
    if kind in _SOFTMAX and kind_of != "INT16":
        beta = float(getattr(op.builtinOptions, "beta", 1.0)) if kind == "SOFTMAX" else 1.0
        yield inputs[0], False, 2.0**-_SOFTMAX_SHIFT / max(beta, 1e-9), infinite, False
    if kind in RATIOS:
        largest = 2 * max((_scale(graph.tensors[i]) for i in inputs), default=0.0)
        low = largest / 2 ** _SHIFTS[kind_of]
        if kind == "SQUARED_DIFFERENCE":
            low = largest**2 / 2**_SQUARE_SHIFT
        yield int(op.outputs[0]), True, low, infinite, kind != "SUB"


def _scale(tensor: Tensor) -> float:
    scales = read_scales(tensor)
    return float(scales[0]) if len(scales) == 1 and np.isfinite(scales[0]) else 0.0


def with_safe_scales(content: bytes) -> bytes:
    """Return a file in which no scale is too small for a kernel.

    A tensor with such a scale is quantized again, with the smallest scale that works. All its values are so
    small that the kernel rounds them alike.

    Args:
        content: A quantized ``.tflite``.
    """
    if not _find_small_scales(read_tree(content)):
        return content
    tree = unpack(content)
    graph, faults = tree.subgraphs[0], _find_small_scales(tree)
    editor = GraphEditor(tree)
    placed: list[Operator] = []
    for index, op in enumerate(graph.operators):
        before, after = [], []
        for fault in (f for f in faults if f.index == index):
            made = editor.add_like(fault.tensor, "larger_scale")
            editor.quantize(made, fault.low * _MARGIN, _zero_point(editor.tensor(fault.tensor)))
            if fault.is_output:
                op.outputs = [made if int(i) == fault.tensor else int(i) for i in op.outputs]
                after.append(_requantize(editor, made, fault.tensor))
            else:
                op.inputs = [made if int(i) == fault.tensor else int(i) for i in op.inputs]
                before.append(_requantize(editor, fault.tensor, made))
        placed += [*before, op, *after]
    graph.operators = placed
    return pack(tree)


def _find_small_scales(tree: ModelTree) -> list[ScaleFault]:
    """Return the scales of the main graph that are too small for a kernel."""
    graph = tree.subgraphs[0]
    return [f for f in find_scale_faults(tree) if f.graph is graph and 0 < f.scale <= f.low]


def _requantize(editor: GraphEditor, source: int, target: int) -> Operator:
    return editor.operator("QUANTIZE", [source], [target], editor.options("QuantizeOptions"), version=2)


def _zero_point(tensor: Tensor) -> int:
    points = None if tensor.quantization is None else tensor.quantization.zeroPoint
    return int(points[0]) if points is not None and len(points) else 0
