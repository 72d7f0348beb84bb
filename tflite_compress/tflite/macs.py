"""Count multiply-accumulates (MACs), weights and zeros of a ``.tflite``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.flatbuffer import (
    FOREST_DESCRIPTION,
    numpy_type,
    operator_name,
    read_tree,
    tensor_name,
    text_of,
    type_name,
)
from tflite_compress.tflite.operator_work import count_operator, weight_inputs
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, shape_of

CONSTANT_TYPES = ("FLOAT32", "FLOAT16", "INT4", "INT8", "UINT8", "INT16", "INT32", "INT64")


@dataclass(frozen=True)
class LayerWeights:
    """One weight tensor of a ``.tflite``.

    Attributes:
        operator: The operator that uses it.
        name: The tensor's name.
        weights: Number of weights.
        zeros: Number of weights equal to zero, or to their channel's zero point.
    """

    operator: str
    name: str
    weights: int
    zeros: int


@dataclass(frozen=True)
class Work:
    """The computation of one inference.

    Attributes:
        macs: MACs of one run with the file's batch size; open dimensions count as 1.
        uncounted: Names of operators whose work is not counted, see
            :func:`tflite_compress.tflite.operator_work.count_operator`.
        layers: Weight tensors with their zeros.
        operators: Number of operators by name.
    """

    macs: int
    uncounted: tuple[str, ...]
    layers: tuple[LayerWeights, ...]
    operators: dict[str, int]


def count_work(content: bytes) -> Work:
    """Count MACs, weights and zeros from the file itself.

    A convolution costs its output elements times the weights of one filter; a recurrent layer its
    weights times the time steps.

    Args:
        content: A ``.tflite``.

    Raises:
        ConversionError: The bytes are not a ``.tflite``.
    """
    model = read_tree(content)
    macs = 0
    uncounted: set[str] = set()
    layers: list[LayerWeights] = []
    operators: dict[str, int] = {}
    for graph in model.subgraphs:
        stored = find_stored(model, graph)
        for op in graph.operators or []:
            name = operator_name(model, op)
            operators[name] = operators.get(name, 0) + 1
            counted = count_operator(name, op, graph)
            if counted is None:
                uncounted.add(name)
            macs += counted or 0
            layers += _weights(name, op, graph, model, stored)
    return Work(macs, tuple(sorted(uncounted)), tuple(layers), operators)


def find_stored(
    model: ModelTree, graph: Graph, through: tuple[str, ...] = ("DEQUANTIZE", "DENSIFY")
) -> dict[int, int]:
    """Return the stored constant of each tensor that operators unpack from one.

    Float16 files store weights for DEQUANTIZE, sparse files for DENSIFY.

    Args:
        model: The decoded file.
        graph: One of its graphs.
        through: Names of operators that unpack.
    """
    found: dict[int, int] = {}
    for op in graph.operators or []:
        if operator_name(model, op) in through and len(op.inputs) and len(op.outputs):
            source = found.get(int(op.inputs[0]), int(op.inputs[0]))
            if weight_values(graph.tensors[source], model) is not None:
                found[int(op.outputs[0])] = source
    return found


def _weights(
    name: str, op: Operator, graph: Graph, model: ModelTree, stored: dict[int, int]
) -> list[LayerWeights]:
    """Return the constant weight tensors of one operator."""
    return [
        LayerWeights(name, tensor_name(graph.tensors[index]), values.size, zeros_in(values, tensor))
        for index, tensor, values in find_weights(name, op, graph, model, stored)
    ]


def find_weights(
    name: str, op: Operator, graph: Graph, model: ModelTree, stored: dict[int, int]
) -> list[tuple[int, Tensor, np.ndarray]]:
    """Return the weights of one operator.

    Args:
        name: Name of the operator.
        op: The operator.
        graph: Its graph.
        model: The decoded file.
        stored: Stored constants of unpacked tensors, see :func:`find_stored`.

    Returns:
        Index of the input, the tensor that is stored for it, and its values; see :func:`weight_values`.
    """
    found = []
    for index in weight_inputs(name, op):
        tensor = graph.tensors[stored.get(index, index)]
        values = weight_values(tensor, model)
        if values is not None and (name != "GATHER" or _is_embedding(values, model)):
            found.append((index, tensor, values))
    return found


def _is_embedding(values: np.ndarray, model: ModelTree) -> bool:
    """Return True for a table of learned rows; others hold positions, shapes, or the nodes of a tree."""
    is_forest = text_of(model.description).endswith(FOREST_DESCRIPTION)
    return values.ndim == 2 and values.dtype not in (np.int32, np.int64) and not is_forest


def weight_values(tensor: Tensor, model: ModelTree) -> np.ndarray | None:
    """Return a constant's values with the zeros that a sparse tensor leaves out; None if it is not constant.

    The order of a sparse tensor's values is not that of its elements.
    """
    if tensor.sparsity is None:
        return constant(tensor, model)
    data, name = model.buffers[tensor.buffer].data, type_name(tensor.type)
    if data is None or not len(data) or name not in CONSTANT_TYPES or name == "INT4":
        return None
    kept: np.ndarray = np.frombuffer(np.asarray(data, np.uint8), numpy_type(name))
    shape = shape_of(tensor)
    if kept.size > math.prod(shape):
        return None
    values = np.zeros(math.prod(shape), kept.dtype)
    values[: kept.size] = kept
    return values.reshape(shape)


def constant(tensor: Tensor, model: ModelTree) -> np.ndarray | None:
    """Return a constant tensor's values in its dtype (packed int4 as int8); None if it is not constant."""
    data = model.buffers[tensor.buffer].data
    name = type_name(tensor.type)
    if data is None or len(data) == 0 or name not in CONSTANT_TYPES:
        return None
    raw = np.asarray(data, np.uint8)
    shape = shape_of(tensor)
    values = _nibbles(raw, int(np.prod(shape))) if name == "INT4" else np.frombuffer(raw, numpy_type(name))
    return values.reshape(shape) if values.size == np.prod(shape) else None


def _nibbles(raw: np.ndarray, count: int) -> np.ndarray:
    """Unpack signed 4-bit numbers: two per byte, the first in the lower half."""
    both = np.stack([raw & 15, raw >> 4], axis=1).reshape(-1)[:count].astype(np.int8)
    return np.where(both > 7, both - 16, both).astype(np.int8)


def zeros_in(values: np.ndarray, tensor: Tensor) -> int:
    """Count the values of a constant that equal zero, or their channel's zero point."""
    quantization = tensor.quantization
    points = None if quantization is None else quantization.zeroPoint
    if quantization is None or points is None or len(points) == 0 or values.dtype.kind == "f":
        return int(np.sum(values == 0))
    shape = [1] * values.ndim
    if len(points) > 1:
        shape[quantization.quantizedDimension] = len(points)
    return int(np.sum(values == np.asarray(points).reshape(shape)))
