"""Give all channels of a clustered weight the same integer levels.

Per-channel quantization scales each channel by its own largest weight. A channel that does not use the
largest of a layer's shared values then gets other integers than the other channels, and an entropy code for
them grows. Scaled by what clustering made the weights multiples of, 16 values stay 16 integers (and their
negatives, where BatchNorm flips a channel's sign). BatchNorm is folded into the scale of each channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.flatbuffer import operator_name, pack, schema, type_name, unpack
from tflite_compress.tflite.macs import constant
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, read_scales, set_scales

LEVELS = 127
ALIKE = 0.99  # correlation of each channel's integers with the float weights they come from
_OUTPUT_FIRST = {2: (1, 0), 3: (2, 0, 1), 4: (3, 0, 1, 2)}


@dataclass(frozen=True, eq=False)
class SharedKernel:
    """A kernel whose weights are integers from -127 to 127 times the scale of their output channel.

    Attributes:
        kernel: In Keras layout, shape (in, out), (width, in, out) or (height, width, in, out).
        scales: Value of the integer 1, float64, shape (channels,), or () where all channels have the same.
    """

    kernel: np.ndarray
    scales: np.ndarray


def share_levels(content: bytes, kernels: Iterable[SharedKernel]) -> bytes:
    """Requantize clustered weights with the same levels in all channels.

    Args:
        content: An integer ``.tflite`` with per-channel weights.
        kernels: Clustered float kernels.

    Returns:
        The model with new integers and scales in those weights and their biases. Weights that match no
        kernel are unchanged.
    """
    model = unpack(content)
    wanted = [
        (found.kernel.transpose(_OUTPUT_FIRST[found.kernel.ndim]), found.scales)
        for found in kernels
        if found.kernel.ndim in _OUTPUT_FIRST
    ]
    graph = model.subgraphs[0]
    done: set[int] = set()
    for op in graph.operators or []:
        if operator_name(model, op) not in ("CONV_2D", "FULLY_CONNECTED") or int(op.inputs[1]) in done:
            continue
        tensor = graph.tensors[op.inputs[1]]
        values = None if type_name(tensor.type) == "INT4" else constant(tensor, model)
        scales = None if tensor.quantization is None else tensor.quantization.scale
        if (
            values is None
            or values.dtype != np.int8
            or scales is None
            or len(scales) != len(values)
            or len(scales) < 2
        ):
            continue
        found = next((pair for pair in wanted if _same(values, pair[0])), None)
        if found is not None:
            done.add(int(op.inputs[1]))
            _requantize(model, graph, op, values, *found)
    return pack(model) if done else content


def _rows(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1).astype(np.float64)


def _same(values: np.ndarray, kernel: np.ndarray) -> bool:
    """Return True if each channel's integers are proportional to the kernel's, up to rounding and sign."""
    if values.size != kernel.size or len(values) != len(kernel):
        return False
    a, b = _rows(values), _rows(kernel)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    alike = np.abs((a * b).sum(axis=1)) >= ALIKE * norms
    return bool(alike.all() and (norms > 0).any())


def _requantize(
    model: ModelTree, graph: Graph, op: Operator, values: np.ndarray, kernel: np.ndarray, units: np.ndarray
) -> None:
    """Write new integers and scales of a weight, and of its bias, whose scale depends on the weight's."""
    a, b = _rows(values), _rows(kernel)
    b = b / np.broadcast_to(units, len(b))[:, None]
    largest = np.abs(b).max(axis=1)
    shrink = np.where(largest > 0, largest / LEVELS, 1.0)  # of each channel's range
    sign = np.sign((a * b).sum(axis=1))
    levels = np.clip(np.rint(b), -LEVELS, LEVELS) * sign[:, None]
    tensor = graph.tensors[op.inputs[1]]
    _store(model, tensor, levels.astype(np.int8).reshape(values.shape))
    scales = np.asarray(read_scales(tensor) / shrink, np.float32)
    set_scales(tensor, scales)
    if len(op.inputs) < 3 or int(op.inputs[2]) < 0:
        return
    bias = graph.tensors[op.inputs[2]]
    old = constant(bias, model)
    if old is not None:
        _store(model, bias, np.rint(old * shrink).astype(old.dtype))
        input_scale = read_scales(graph.tensors[op.inputs[0]])[0]
        set_scales(bias, np.asarray(input_scale * scales, np.float32))


def _store(model: ModelTree, tensor: Tensor, values: np.ndarray) -> None:
    """Store values in a new buffer: other tensors may use the old one."""
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
