"""Scales for which integer kernels abort the process, and conversions between scales that avoid them.

Kernels turn ratios of scales into multipliers of integers, and assert that these lie in a range. The limits
are those of TensorFlow Lite's kernels (``quantization_util.cc``, ``add.cc``, ``squared_difference.cc``,
``comparisons.cc``, ``activations.cc``), of their counterparts in TFLite Micro, and of XNNPACK's operators
with weights, after whose refusal LiteRT frees memory twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_name, pack, read_tree, type_name, unpack
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, read_scales

RATIOS = ("ADD", "SUB", "SQUARED_DIFFERENCE")
COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
Kernels = Literal["XNNPACK", "reference", "TFLite Micro"]
_ALL: tuple[Kernels, ...] = get_args(Kernels)
_SOFTMAX = ("SOFTMAX", "LOG_SOFTMAX")
_WEIGHTED = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_SHIFTS = {"INT8": 20, "UINT8": 20, "INT16": 15}  # by which ADD and SUB enlarge their inputs
_SQUARE_SHIFT = 14
_SOFTMAX_SHIFT = 26
_XNNPACK_RATIO = 256
_MARGIN = 1.001  # float32 scales are compared as float64


class _Limit(NamedTuple):
    tensor: int
    is_output: bool
    low: float
    high: float
    kernels: tuple[Kernels, ...]


@dataclass(frozen=True)
class ScaleFault:
    """A scale for which kernels abort.

    Attributes:
        graph: The operator's graph.
        index: Place of the operator in it.
        tensor: Index of the tensor with the scale.
        is_output: True for an output of the operator, False for an input.
        scale: The scale.
        low: The scale must be above it.
        high: The scale must be below it; infinite where any larger scale works.
        kernels: The kernels that abort or refuse the file.
    """

    graph: Graph
    index: int
    tensor: int
    is_output: bool
    scale: float
    low: float
    high: float
    kernels: tuple[Kernels, ...]

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
            for limit in _limits(operator_name(model, op), graph, op):
                scales = read_scales(graph.tensors[limit.tensor])
                for scale in map(float, scales[~((scales > limit.low) & (scales < limit.high))][:1]):
                    tensor, is_output, low, high, kernels = limit
                    yield ScaleFault(graph, index, tensor, is_output, scale, low, high, kernels)


def _limits(kind: str, graph: Graph, op: Operator) -> Iterator[_Limit]:
    """Yield the limits of the scales of an operator on integers."""
    inputs, outputs = [int(i) for i in op.inputs if i >= 0], [int(i) for i in op.outputs[:1]]
    inputs = inputs[2:0:-1] if kind == "TRANSPOSE_CONV" else inputs[:2]
    if not inputs or not outputs:
        return
    infinite, integer = float("inf"), type_name(graph.tensors[inputs[0]].type)
    if kind in ("QUANTIZE", "BATCH_MATMUL"):
        yield from (_Limit(i, False, 0.0, infinite, ("XNNPACK",)) for i in inputs if _is_scaled(graph, i))
        yield from (_Limit(i, True, 0.0, infinite, ("XNNPACK",)) for i in outputs if _is_scaled(graph, i))
    if integer not in _SHIFTS or not all(_is_scaled(graph, i) for i in inputs[:1]):
        return
    if kind in (*RATIOS, *COMPARISONS):
        yield from (_Limit(i, False, 0.0, infinite, _ALL) for i in inputs)
    if kind in RATIOS:
        yield _ratio_limit(kind, graph, inputs, outputs[0], _SHIFTS[integer])
    if integer == "INT16":
        return
    if kind in COMPARISONS:
        yield from (_Limit(i, False, 0.0, 1.0, ("TFLite Micro",)) for i in inputs if _scale(graph, i) > 0)
    if kind in _SOFTMAX:
        beta = float(getattr(op.builtinOptions, "beta", 1.0)) if kind == "SOFTMAX" else 1.0
        low = 2.0**-_SOFTMAX_SHIFT / max(beta, 1e-9)
        yield _Limit(inputs[0], False, low, infinite, ("reference", "TFLite Micro"))
    if kind in _WEIGHTED and len(inputs) > 1 and len(weights := read_scales(graph.tensors[inputs[1]])):
        low = _scale(graph, inputs[0]) * float(np.max(weights)) / _XNNPACK_RATIO
        yield _Limit(outputs[0], True, low, infinite, ("XNNPACK",))


def _ratio_limit(kind: str, graph: Graph, inputs: list[int], output: int, shift: int) -> _Limit:
    """Return the limit of the output of an operator that divides by its scale."""
    largest = 2 * max(_scale(graph, i) for i in inputs)
    kernels: dict[str, tuple[Kernels, ...]] = {
        "ADD": _ALL,
        "SUB": ("TFLite Micro",),
        "SQUARED_DIFFERENCE": ("XNNPACK", "reference"),
    }
    low = largest**2 / 2**_SQUARE_SHIFT if kind == "SQUARED_DIFFERENCE" else largest / 2**shift
    return _Limit(output, True, low, float("inf"), kernels[kind])


def _is_scaled(graph: Graph, index: int) -> bool:
    """Return True for a tensor of integers with one scale."""
    tensor = graph.tensors[index]
    return type_name(tensor.type) in _SHIFTS and len(read_scales(tensor)) == 1


def _scale(graph: Graph, index: int) -> float:
    scales = read_scales(graph.tensors[index])
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
