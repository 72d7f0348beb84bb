"""Scratch memory that CMSIS-NN kernels take from the tensor arena, in addition to the activations.

The reference kernels need none, so an arena measured with them is too small on a board. Sizes follow the
``*_get_buffer_size`` functions of CMSIS-NN (github.com/ARM-software/CMSIS-NN, Source/ConvolutionFunctions,
Source/FullyConnectedFunctions, Source/PoolingFunctions). If cores with DSP and with Helium differ, the larger
size is used.
"""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.tflite.flatbuffer import operator_name, type_name, unpack
from tflite_compress.tflite.tree import IntVector, Operator, Tensor, shape_of


def find_largest_scratch(content: bytes) -> int:
    """Return the size of the largest scratch buffer of any operator; they are not alive at the same time.

    Args:
        content: A ``.tflite``.

    Returns:
        Bytes; 0 if no operator needs scratch memory.
    """
    model = unpack(content)
    sizes = [
        _scratch(operator_name(model, op), op, graph.tensors)
        for graph in model.subgraphs
        for op in graph.operators or []
    ]
    return max(sizes, default=0)


def _scratch(name: str, op: Operator, tensors: Sequence[Tensor]) -> int:
    def shape(which: IntVector, index: int) -> list[int]:
        return [max(1, d) for d in shape_of(tensors[which[index]])]

    if name not in _SIZES or type_name(tensors[op.inputs[0]].type) not in ("INT8", "INT16"):
        return 0
    weights = shape(op.inputs, 1) if len(op.inputs) > 1 else []
    return _SIZES[name](shape(op.inputs, 0), weights, shape(op.outputs, 0))


def _conv(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Return bytes of two im2col columns of int16 (DSP) or four of int8 (Helium)."""
    column = weights[1] * weights[2] * weights[3]
    aligned = -(-column // 4) * 4
    return max(2 * column * 2, 4 * aligned)


def _depthwise(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Return bytes of one int16 column of the kernel (DSP) or four blocks of 124 channels (Helium)."""
    taps = weights[1] * weights[2]
    return max(inputs[-1] * taps * 2, 4 * 124 * taps + 4)


def _dense(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Return bytes of a 32-bit sum per output (Helium)."""
    return weights[0] * 4


def _pool(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Return bytes of a 32-bit sum per channel."""
    return inputs[-1] * 4


def _transpose_conv(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Return bytes of a 32-bit buffer of output rows, one per kernel row, and the reversed kernel."""
    return outputs[-1] * outputs[-2] * weights[1] * 4 + weights[0] * weights[1] * weights[2] * weights[3]


_SIZES = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "AVERAGE_POOL_2D": _pool,
    "TRANSPOSE_CONV": _transpose_conv,
}
