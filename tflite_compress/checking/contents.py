"""Read from a ``.tflite`` what it requires of a runtime: operators, precisions, shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tflite_compress.profiles.devices import Precision
from tflite_compress.tflite.flatbuffer import (
    FOREST_DESCRIPTION,
    operator_name,
    tensor_name,
    text_of,
    type_name,
)
from tflite_compress.tflite.layer_names import NO_LAYERS
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.operator_work import PRODUCTS, count_operator
from tflite_compress.tflite.tree import Graph, ModelTree, Tensor, shape_of
from tflite_compress.tflite.tree import Operator as FileOperator

_BETWEEN_TYPES = ("QUANTIZE", "DEQUANTIZE", "CAST", "TFLM_DECODE")
_MOVES_NOTHING = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


@dataclass(frozen=True)
class Operator:
    """One operator of the file.

    Attributes:
        name: As in ``schema.fbs``.
        layer: The Keras layer it came from, if the tensor names tell.
        kind: ``conv``, ``depthwise``, ``dense`` or ``other``.
        macs: Multiply-accumulates per inference; None if they are not counted.
        elements: Number of elements of its first output; 0 if it moves no data.
        precision: Precision it computes in; None if it only converts or moves values.
        four_bit: True if its weights have 4 bits.
    """

    name: str
    layer: str
    kind: str
    macs: int | None
    elements: int
    precision: Precision | None
    four_bit: bool = False


@dataclass(frozen=True)
class Contents:
    """The contents of a file.

    Attributes:
        operators: In order of execution.
        precisions: Precisions its operators compute in.
        open_batch: Names of tensors with open dimensions, if the inputs leave only their batch open.
        open_shapes: Names of tensors with open dimensions, if an input leaves another dimension open.
        open_inside: Names of tensors with open dimensions, if all inputs are fixed.
        unquantized: Names of integer activations without a scale that need one.
        asymmetric: Layers with int8 weights whose zero point is not 0; optimized kernels refuse them.
        bytes: Size of the file.
        has_trees: True if the file's description says that it holds decision trees.
    """

    operators: tuple[Operator, ...]
    precisions: frozenset[Precision]
    open_batch: tuple[str, ...]
    open_shapes: tuple[str, ...]
    open_inside: tuple[str, ...]
    unquantized: tuple[str, ...]
    asymmetric: tuple[str, ...]
    bytes: int
    has_trees: bool = False


def read_contents(model: ModelTree, size: int) -> Contents:
    """Read the contents of a decoded file.

    Args:
        model: The decoded tree.
        size: Size of the file in bytes.
    """
    operators: list[Operator] = []
    for graph in model.subgraphs:
        decoded = _find_decoded(model, graph)
        for op in graph.operators or []:
            operators.append(_operator(model, graph, op, decoded))
    operators = [_name_decode(op, operators[i + 1 :]) for i, op in enumerate(operators)]
    precisions = frozenset(op.precision for op in operators if op.precision)
    if any(type_name(t.type) == "FLOAT16" for g in model.subgraphs for t in g.tensors):
        precisions = (precisions - {"float32"}) | {"float16"}
    return Contents(
        tuple(operators),
        precisions,
        *_find_open(model),
        _find_unquantized(model),
        _find_asymmetric(model),
        size,
        text_of(model.description).endswith(FOREST_DESCRIPTION),
    )


def _operator(model: ModelTree, graph: Graph, op: FileOperator, decoded: set[int]) -> Operator:
    name = operator_name(model, op)
    output = graph.tensors[op.outputs[0]] if len(op.outputs) else None
    elements = 1 if output is None else math.prod(max(1, d) for d in shape_of(output))
    layer = NO_LAYERS.layer_of(model, graph, op)
    kind = PRODUCTS[name].kind if name in PRODUCTS else "other"
    macs = count_operator(name, op, graph)
    idle = 0 if name in _MOVES_NOTHING or name == "TFLM_DECODE" else elements
    four = any(i >= 0 and type_name(graph.tensors[i].type) == "INT4" for i in op.inputs[1:2])
    return Operator(name, layer, kind, macs, idle, _precision(name, graph, op, decoded), four)


def _name_decode(op: Operator, later: list[Operator]) -> Operator:
    """Name a DECODE operator after the layer whose weights it decodes: its own output has no name."""
    if op.name != "TFLM_DECODE" or op.layer:
        return op
    return replace(op, layer=next((o.layer for o in later if o.name != "TFLM_DECODE"), ""))


def _precision(name: str, graph: Graph, op: FileOperator, decoded: set[int]) -> Precision | None:
    """Return the precision of an operator, from the types of its activations and of its weights."""
    place = PRODUCTS[name].data if name in PRODUCTS else 0
    if name in _BETWEEN_TYPES or len(op.inputs) <= place or op.inputs[place] < 0:
        return None
    activation = type_name(graph.tensors[op.inputs[place]].type)
    weights = activation
    if name in PRODUCTS and len(op.inputs) > 1 and op.inputs[1] >= 0 and op.inputs[1] not in decoded:
        weights = type_name(graph.tensors[op.inputs[1]].type)
    if activation == "FLOAT32":
        return "dynamic" if weights in ("INT8", "INT4", "UINT8") else "float32"
    return {"INT8": "int8", "INT16": "int16x8", "FLOAT16": "float16"}.get(activation)  # type: ignore[return-value]


def _find_decoded(model: ModelTree, graph: Graph) -> set[int]:
    """Return the tensors that TFLite Micro's DECODE operators write."""
    return {
        int(i)
        for op in graph.operators or []
        if operator_name(model, op) == "TFLM_DECODE"
        for i in op.outputs
    }


def _find_open(model: ModelTree) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names of tensors with open dimensions, if the inputs leave open the batch, another dimension, none."""
    inputs = [model.subgraphs[0].tensors[i] for i in model.subgraphs[0].inputs]
    axes = {axis for tensor in inputs for axis in _open_axes(tensor)}
    recorded = any(d < 0 for g in model.subgraphs for t in g.tensors for d in shape_of(t))
    names = [tensor_name(t) for g in model.subgraphs for t in g.tensors if _open_axes(t)]
    distinct = tuple(dict.fromkeys(names))
    if axes - {0} or recorded:
        return (), distinct, ()
    return (distinct, (), ()) if axes else ((), (), distinct)


def _open_axes(tensor: Tensor) -> list[int]:
    signature = [] if tensor.shapeSignature is None else list(tensor.shapeSignature)
    return [axis for axis, size in enumerate(signature or shape_of(tensor)) if size < 0]


def _find_unquantized(model: ModelTree) -> tuple[str, ...]:
    found = []
    for graph in model.subgraphs:
        for op in graph.operators or []:
            name = operator_name(model, op)
            if name not in PRODUCTS:
                continue
            for index in (op.inputs[PRODUCTS[name].data], op.outputs[0]):
                tensor = graph.tensors[index]
                if type_name(tensor.type) in ("INT8", "INT16") and not _has_scales(tensor):
                    found.append(tensor_name(tensor))
    return tuple(dict.fromkeys(found))


def _find_asymmetric(model: ModelTree) -> tuple[str, ...]:
    found = []
    for graph in model.subgraphs:
        for op in graph.operators or []:
            if operator_name(model, op) in PRODUCTS and len(op.inputs) > 1 and op.inputs[1] >= 0:
                tensor = graph.tensors[op.inputs[1]]
                points = None if tensor.quantization is None else tensor.quantization.zeroPoint
                is_weight = constant(tensor, model) is not None  # BATCH_MATMUL may multiply two activations
                has_points = points is not None and any(int(p) for p in points)
                if is_weight and type_name(tensor.type) == "INT8" and has_points:
                    found.append(NO_LAYERS.layer_of(model, graph, op))
    return tuple(dict.fromkeys(found))


def _has_scales(tensor: Tensor) -> bool:
    scales = None if tensor.quantization is None else tensor.quantization.scale
    return scales is not None and len(scales) > 0
