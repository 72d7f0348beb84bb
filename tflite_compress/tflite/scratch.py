"""Scratch memory that CMSIS-NN kernels ask the tensor arena for, besides the activations.

The reference kernels need none, so an arena measured with them is too small on a board. Sizes follow the
``*_get_buffer_size`` functions of CMSIS-NN (github.com/ARM-software/CMSIS-NN, Source/ConvolutionFunctions,
Source/FullyConnectedFunctions, Source/PoolingFunctions); where a core with DSP and one with Helium differ,
the larger is taken.
"""

from __future__ import annotations

from typing import Any

from tflite_compress.tflite.flatbuffer import operator_name, type_name, unpack


def find_largest_scratch(content: bytes) -> int:
    """Bytes of the largest scratch buffer any operator asks for; they do not live at the same time.

    Args:
        content: A ``.tflite``.
    """
    model = unpack(content)
    sizes = [
        _scratch(operator_name(model, op), op, graph.tensors)
        for graph in model.subgraphs
        for op in graph.operators or []
    ]
    return max(sizes, default=0)


def _scratch(name: str, op: Any, tensors: Any) -> int:
    def shape(which: Any, index: int) -> list[int]:
        found = tensors[which[index]].shape
        return [] if found is None else [max(1, int(d)) for d in found]

    if name not in _SIZES or type_name(tensors[op.inputs[0]].type) not in ("INT8", "INT16"):
        return 0
    weights = shape(op.inputs, 1) if len(op.inputs) > 1 else []
    return _SIZES[name](shape(op.inputs, 0), weights, shape(op.outputs, 0))


def _conv(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Two im2col columns of int16 with DSP, four of int8 with Helium."""
    column = weights[1] * weights[2] * weights[3]
    aligned = -(-column // 4) * 4
    return max(2 * column * 2, 4 * aligned)


def _depthwise(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """One int16 column of the kernel with DSP, four blocks of 124 channels with Helium."""
    taps = weights[1] * weights[2]
    return max(inputs[-1] * taps * 2, 4 * 124 * taps + 4)


def _dense(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """Helium keeps a 32-bit sum for each output."""
    return weights[0] * 4


def _pool(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """A 32-bit sum for each channel."""
    return inputs[-1] * 4


def _transpose_conv(inputs: list[int], weights: list[int], outputs: list[int]) -> int:
    """The output in 32 bits, row by row of the kernel's height."""
    return outputs[-1] * outputs[-2] * weights[1] * 4 + weights[0] * weights[1] * weights[2] * weights[3]


_SIZES = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "AVERAGE_POOL_2D": _pool,
    "TRANSPOSE_CONV": _transpose_conv,
}
