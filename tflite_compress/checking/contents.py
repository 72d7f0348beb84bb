"""What a ``.tflite`` asks of a runtime, read from the file itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tflite_compress.profiles.devices import Precision
from tflite_compress.tflite.flatbuffer import (
    FOREST_DESCRIPTION,
    operator_name,
    tensor_name,
    text_of,
    type_name,
)
from tflite_compress.tflite.macs import operator_macs
from tflite_compress.tflite.slim_file import own_name

_WEIGHTED = {
    "CONV_2D": "conv",
    "CONV_3D": "conv",
    "TRANSPOSE_CONV": "conv",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "dense",
    "BATCH_MATMUL": "dense",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "dense",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "dense",
}
_BETWEEN_TYPES = ("QUANTIZE", "DEQUANTIZE", "CAST", "TFLM_DECODE")
_FREE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


@dataclass(frozen=True)
class Operator:
    """One operator of the file.

    Attributes:
        name: As in ``schema.fbs``.
        layer: The Keras layer it came from, as far as the file's names tell.
        kind: ``conv``, ``depthwise``, ``dense`` or ``other``.
        macs: Multiply-accumulates.
        elements: Elements of its first output.
        precision: Precision it computes in; None for operators that only convert or move values.
        four_bit: Its weights take 4 bits each.
    """

    name: str
    layer: str
    kind: str
    macs: int
    elements: int
    precision: Precision | None
    four_bit: bool = False


@dataclass(frozen=True)
class Contents:
    """The whole file.

    Attributes:
        operators: In order of execution.
        precisions: Precisions its operators compute in.
        open_batch: Names of tensors of which only the first dimension, the batch, is left open.
        open_shapes: Names of tensors with another dimension left open.
        unquantized: Integer activations without a scale where the operator needs one.
        asymmetric: Weights of int8 with a zero point other than 0, which optimized kernels refuse.
        bytes: Size of the file.
        trees: It holds decision trees, and says so.
    """

    operators: tuple[Operator, ...]
    precisions: frozenset[Precision]
    open_batch: tuple[str, ...]
    open_shapes: tuple[str, ...]
    unquantized: tuple[str, ...]
    asymmetric: tuple[str, ...]
    bytes: int
    trees: bool = False


def read_contents(model: Any, size: int) -> Contents:
    """Read a decoded file.

    Args:
        model: The ``ModelT`` tree.
        size: Bytes of the file.
    """
    operators: list[Operator] = []
    for graph in model.subgraphs:
        decoded = _after_decode(model, graph)
        for op in graph.operators or []:
            operators.append(_operator(model, graph, op, decoded))
    operators = [_named_after_reader(op, operators[i + 1 :]) for i, op in enumerate(operators)]
    precisions = frozenset(op.precision for op in operators if op.precision)
    if any(type_name(t.type) == "FLOAT16" for g in model.subgraphs for t in g.tensors):
        precisions = (precisions - {"float32"}) | {"float16"}
    return Contents(
        tuple(operators),
        precisions,
        *_open(model),
        _without_scale(model),
        _asymmetric(model),
        size,
        text_of(model.description).endswith(FOREST_DESCRIPTION),
    )


def _operator(model: Any, graph: Any, op: Any, decoded: set[int]) -> Operator:
    name = operator_name(model, op)
    output = graph.tensors[op.outputs[0]] if len(op.outputs) else None
    elements = 1
    for d in [] if output is None or output.shape is None else output.shape:
        elements *= max(1, int(d))
    layer = own_name(tensor_name(output), name) if output is not None else ""
    kind = _WEIGHTED.get(name, "other")
    macs = operator_macs(name, op, graph) or 0
    idle = 0 if name in _FREE or name == "TFLM_DECODE" else elements
    four = any(i >= 0 and type_name(graph.tensors[i].type) == "INT4" for i in op.inputs[1:2])
    return Operator(name, layer, kind, macs, idle, _precision(name, graph, op, decoded), four)


def _named_after_reader(op: Operator, later: list[Operator]) -> Operator:
    """DECODE stands before the layer whose weights it decodes, and makes tensors without a name."""
    if op.name != "TFLM_DECODE" or op.layer:
        return op
    return replace(op, layer=next((o.layer for o in later if o.name != "TFLM_DECODE"), ""))


def _precision(name: str, graph: Any, op: Any, decoded: set[int]) -> Precision | None:
    """The type an operator computes in, by its first input and, with weights, its second."""
    if name in _BETWEEN_TYPES or not len(op.inputs) or op.inputs[0] < 0:
        return None
    activation = type_name(graph.tensors[op.inputs[0]].type)
    weights = activation
    if name in _WEIGHTED and len(op.inputs) > 1 and op.inputs[1] >= 0 and op.inputs[1] not in decoded:
        weights = type_name(graph.tensors[op.inputs[1]].type)
    if activation == "FLOAT32":
        return "dynamic" if weights in ("INT8", "INT4", "UINT8") else "float32"
    return {"INT8": "int8", "INT16": "int16x8", "FLOAT16": "float16"}.get(activation)  # type: ignore[return-value]


def _after_decode(model: Any, graph: Any) -> set[int]:
    """Tensors that TFLite Micro's DECODE operator makes."""
    return {
        int(i)
        for op in graph.operators or []
        if operator_name(model, op) == "TFLM_DECODE"
        for i in op.outputs
    }


def _open(model: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of tensors with an open batch only, and of tensors with another open dimension."""
    batch, others = [], []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            fixed, signature = ([] if s is None else list(s) for s in (tensor.shape, tensor.shapeSignature))
            if any(d < 0 for d in [*fixed, *signature[1:]]):
                others.append(tensor_name(tensor))
            elif any(d < 0 for d in signature):
                batch.append(tensor_name(tensor))
    return tuple(dict.fromkeys(batch)), tuple(dict.fromkeys(others))


def _without_scale(model: Any) -> tuple[str, ...]:
    found = []
    for graph in model.subgraphs:
        for op in graph.operators or []:
            name = operator_name(model, op)
            if name not in _WEIGHTED:
                continue
            for index in (op.inputs[0], op.outputs[0]):
                tensor = graph.tensors[index]
                if type_name(tensor.type) in ("INT8", "INT16") and not _scales(tensor):
                    found.append(tensor_name(tensor))
    return tuple(dict.fromkeys(found))


def _asymmetric(model: Any) -> tuple[str, ...]:
    found = []
    for graph in model.subgraphs:
        for op in graph.operators or []:
            if operator_name(model, op) in _WEIGHTED and len(op.inputs) > 1 and op.inputs[1] >= 0:
                tensor = graph.tensors[op.inputs[1]]
                points = None if tensor.quantization is None else tensor.quantization.zeroPoint
                if type_name(tensor.type) == "INT8" and points is not None and any(int(p) for p in points):
                    found.append(
                        own_name(tensor_name(graph.tensors[op.outputs[0]]), operator_name(model, op))
                    )
    return tuple(dict.fromkeys(found))


def _scales(tensor: Any) -> bool:
    scales = None if tensor.quantization is None else tensor.quantization.scale
    return scales is not None and len(scales) > 0
