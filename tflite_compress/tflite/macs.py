"""Count multiply-accumulates (MACs), weights and zeros of a ``.tflite``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.flatbuffer import numpy_type, operator_name, tensor_name, type_name, unpack
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, shape_of

# Operators that multiply by weights, and the index of their weight input.
_WEIGHT_INPUT = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
    "CONV_3D": 1,
}


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
        uncounted: Names of operators that multiply by weights but cannot be counted.
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
    weights times the time steps. Loops (``WHILE``) cannot be counted and are listed as uncounted.

    Args:
        content: A ``.tflite``.

    Raises:
        ConversionError: The bytes are not a ``.tflite``.
    """
    model = unpack(content)
    macs = 0
    uncounted: set[str] = set()
    layers: list[LayerWeights] = []
    operators: dict[str, int] = {}
    for graph in model.subgraphs:
        for op in graph.operators or []:
            name = operator_name(model, op)
            operators[name] = operators.get(name, 0) + 1
            counted = operator_macs(name, op, graph)
            if counted is None:
                uncounted.add(name)
            macs += counted or 0
            layers += _weights(name, op, graph, model)
    return Work(macs, tuple(sorted(uncounted)), tuple(layers), operators)


def operator_macs(name: str, op: Operator, graph: Graph) -> int | None:
    """Return the MACs of one operator: 0 if it has no weights, None if they cannot be counted.

    The model must have passed ``integrity.validate``: inputs, outputs and ranks are not checked again.
    """
    tensors = graph.tensors
    if name in ("CONV_2D", "CONV_3D"):
        filter_shape = shape_of(tensors[op.inputs[1]])
        of_one = filter_shape[1:] if name == "CONV_2D" else filter_shape[:-1]
        return _elements(tensors[op.outputs[0]]) * _product(of_one)
    if name == "DEPTHWISE_CONV_2D":
        return _elements(tensors[op.outputs[0]]) * _product(shape_of(tensors[op.inputs[1]])[1:3])
    if name == "FULLY_CONNECTED":
        return _elements(tensors[op.outputs[0]]) * shape_of(tensors[op.inputs[1]])[-1]
    if name == "TRANSPOSE_CONV":
        return _elements(tensors[op.inputs[2]]) * _product(shape_of(tensors[op.inputs[1]])[:3])
    if name == "BATCH_MATMUL":
        return _elements(tensors[op.outputs[0]]) * shape_of(tensors[op.inputs[0]])[-1]
    if "SEQUENCE_LSTM" in name or "SEQUENCE_RNN" in name:
        steps = shape_of(tensors[op.inputs[0]])[1]
        matrices = [tensors[i] for i in op.inputs[1:] if i >= 0 and len(shape_of(tensors[i])) == 2]
        return steps * sum(_elements(t) for t in matrices if not t.isVariable)
    return None if name == "WHILE" or name.startswith("BUILTIN_") else 0


def _product(dimensions: Iterable[int]) -> int:
    """Multiply Python integers: the shapes of a damaged file would overflow NumPy's."""
    return math.prod(int(d) for d in dimensions)


def weight_inputs(name: str, op: Operator, graph: Graph) -> list[int]:
    """Return the indices of the tensors with an operator's weights, constant or not."""
    if name in _WEIGHT_INPUT:
        return [int(op.inputs[_WEIGHT_INPUT[name]])]
    if "SEQUENCE_LSTM" in name or "SEQUENCE_RNN" in name:
        return [int(i) for i in op.inputs[1:] if i >= 0 and len(shape_of(graph.tensors[i])) == 2]
    return []


def _weights(name: str, op: Operator, graph: Graph, model: ModelTree) -> list[LayerWeights]:
    """Return the constant weight tensors of one operator."""
    found = []
    for index in weight_inputs(name, op, graph):
        tensor = graph.tensors[index]
        values = constant(tensor, model)
        if values is not None:
            found.append(LayerWeights(name, tensor_name(tensor), values.size, zeros_in(values, tensor)))
    return found


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


def _elements(tensor: Tensor) -> int:
    return _product(max(1, d) for d in shape_of(tensor))
