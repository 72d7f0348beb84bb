"""Memory that CMSIS-NN's kernels take from the tensor arena, in addition to what the reference kernels take.

An arena measured with the reference kernels is too small on a board by these bytes. Sizes follow the
``*_get_buffer_size`` functions of CMSIS-NN (github.com/ARM-software/CMSIS-NN, ``Source``), and what TFLite
Micro's kernels in ``tensorflow/lite/micro/kernels/cmsis_nn`` do with them. Kernels are built for speed, which
is the default: sums of weights are then kept for every layer, while scratch buffers share their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tflite_compress.tflite.flatbuffer import operator_name, read_tree, type_name
from tflite_compress.tflite.kernel_sets import Kernels
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

_ALIGNMENT = 16  # of buffers in the arena
_MVE_CHANNEL_BLOCK = 124  # CH_IN_BLOCK_MVE
_REVERSED_ABOVE = 16  # REVERSE_TCOL_EFFICIENT_THRESHOLD
_LSTM_PARAMETERS = 256  # cmsis_nn_lstm_params, rounded up


@dataclass(frozen=True)
class KernelMemory:
    """Bytes that optimized kernels take from the arena.

    Attributes:
        scratch: The largest scratch buffers of one operator; they are not alive at the same time.
        kept: Buffers that stay, of all operators.
    """

    scratch: int
    kept: int


@dataclass(frozen=True)
class _Layer:
    """Sizes of an operator on 8-bit or 16-bit integers: batch, height, width, channels."""

    inputs: tuple[int, int, int, int]
    weights: tuple[int, int, int, int]
    outputs: tuple[int, int, int, int]
    output_rank: int
    is_16_bit: bool
    has_4_bit_weights: bool
    is_per_channel: bool
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]


def measure_kernel_memory(content: bytes, kernels: Kernels) -> KernelMemory:
    """Return what CMSIS-NN's kernels need in the arena.

    Args:
        content: A ``.tflite``.
        kernels: Which kernels the core runs.
    """
    model = read_tree(content)
    found = [_measure(model, graph, op, kernels) for graph in model.subgraphs for op in graph.operators or []]
    return KernelMemory(max((f.scratch for f in found), default=0), sum(f.kept for f in found))


def _measure(model: ModelTree, graph: Graph, op: Operator, kernels: Kernels) -> KernelMemory:
    name = operator_name(model, op)
    place = 2 if name == "TRANSPOSE_CONV" else 0
    if name not in _SIZES or len(op.inputs) <= place or not len(op.outputs):
        return KernelMemory(0, 0)
    type_ = type_name(graph.tensors[op.inputs[place]].type)
    if type_ not in ("INT8", "INT16"):
        return KernelMemory(0, 0)
    scratch, kept = _SIZES[name](_read_layer(graph, op, place, type_ == "INT16"), kernels)
    return KernelMemory(_align(scratch), _align(kept))


def _read_layer(graph: Graph, op: Operator, place: int, is_16_bit: bool) -> _Layer:
    options = op.builtinOptions
    weights = graph.tensors[op.inputs[1]] if len(op.inputs) > 1 and op.inputs[1] >= 0 else None
    scales = None if weights is None or weights.quantization is None else weights.quantization.scale
    inputs = _four(shape_of(graph.tensors[op.inputs[place]]))
    filters = _four(() if weights is None else shape_of(weights))
    outputs = _four(shape_of(graph.tensors[op.outputs[0]]))
    stride = (_option(options, "strideH"), _option(options, "strideW"))
    dilation = (_option(options, "dilationHFactor"), _option(options, "dilationWFactor"))
    is_same = getattr(options, "padding", 1) == 0
    padding = [
        max(0, (outputs[i] - 1) * stride[i - 1] + (filters[i] - 1) * dilation[i - 1] + 1 - inputs[i]) // 2
        for i in (1, 2)
    ]
    return _Layer(
        inputs,
        filters,
        outputs,
        len(shape_of(graph.tensors[op.outputs[0]])),
        is_16_bit,
        weights is not None and type_name(weights.type) == "INT4",
        scales is not None and len(scales) > 1,
        stride,
        dilation,
        (padding[0], padding[1]) if is_same else (0, 0),
    )


def _option(options: object, name: str) -> int:
    """Return a step of a kernel; at least 1, also in a damaged file."""
    return max(1, int(getattr(options, name, 1)))


def _four(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Return a shape as batch, height, width, channels; open sizes count as 1."""
    sizes = [1, 1, 1, 1, *(max(1, d) for d in shape)]
    return sizes[-4], sizes[-3], sizes[-2], sizes[-1]


def _conv(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return bytes of the columns that a convolution gathers: 2 of int16, or 4 of the type with Helium."""
    column = layer.weights[1] * layer.weights[2] * layer.inputs[3]
    if layer.is_16_bit:
        return (4 * _up(column, 8) * 2 if kernels == "mve" else 2 * column * 2), 0
    is_whole = layer.inputs[3] == layer.weights[3]
    if layer.weights[1:3] == (1, 1) and layer.padding == (0, 0) and layer.dilation == (1, 1) and is_whole:
        is_fast = layer.stride == (1, 1)
        return (2 * layer.inputs[3] * 2 if is_fast and kernels == "dsp" else 0), 0  # armclang only
    is_row = layer.inputs[1] == layer.weights[1] == layer.dilation[1] == 1 and is_whole
    if kernels == "mve" and is_row and layer.stride[1] * layer.inputs[3] % 4 == 0:
        return _row_conv(layer), 0
    return (4 * _up(column, 16) if kernels == "mve" else 2 * _up(column, 4) * 2), 0


def _row_conv(layer: _Layer) -> int:
    """Return bytes of the padded ends of a row (``arm_convolve_1_x_n_s8``)."""
    width, channels, kernel = layer.inputs[2], layer.inputs[3], layer.weights[2]
    steps, stride, pad = layer.outputs[2], layer.stride[1], layer.padding[1]
    uneven = ((steps - 1) * stride + kernel - width) % 2
    right = max(1, -(-(pad + uneven) // stride)) if pad + uneven else 0
    left = max(1, -(-pad // stride)) if pad else 0
    if right + max(steps - right - left, 0) + left != steps:
        return 4 * _up(kernel * channels, 16)
    padded_left = kernel * channels + pad * channels
    padded_right = (kernel - 1) * channels + (right if uneven else pad) * channels
    return max(padded_left, padded_right)


def _depthwise(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return bytes of an int16 column of the kernel (DSP, 4 bits), or of four blocks of channels (Helium)."""
    taps, channels = layer.weights[1] * layer.weights[2], layer.inputs[3]
    size = 0
    if channels == layer.outputs[3] and layer.inputs[0] == 1 and layer.dilation == (1, 1):
        is_small = layer.weights[1:3] == (3, 3) and max(layer.padding) <= 1
        column = 0 if is_small and not layer.is_16_bit else channels * taps * 2
        blocks = 4 * _MVE_CHANNEL_BLOCK * taps
        if layer.is_16_bit:
            blocks = max(blocks, 4 * channels * taps * 2 + 8)
        size = {"c": 0, "dsp": column, "mve": blocks}[kernels]
        if layer.has_4_bit_weights:
            return channels * taps * 2, 0
    if kernels == "mve" and channels == 1 and layer.outputs[3] > 1:  # computed as a convolution
        weights = (layer.weights[3], layer.weights[1], layer.weights[2], layer.weights[0])
        as_conv = replace(layer, weights=weights)
        size = max(size, _conv(as_conv, kernels)[0] + layer.weights[3] * taps * layer.weights[0])
    return size, 0


def _dense(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return a 32-bit sum per output, which is kept (Helium), or the buffers of a 1x1 convolution."""
    if layer.is_16_bit:
        return 0, 0
    if layer.output_rank > 2 and layer.weights[3] % 4 == 0:
        scales = 0 if layer.is_per_channel else layer.outputs[3] * 4 * 2
        return scales + (2 * layer.weights[3] * 2 if kernels == "dsp" else 0), 0
    return 0, layer.outputs[3] * 4 if kernels == "mve" else 0


def _matmul(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return bytes of a 32-bit sum per column (Helium)."""
    return (layer.outputs[3] * 4 if kernels == "mve" and not layer.is_16_bit else 0), 0


def _svdf(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return a 32-bit sum per filter, which is kept (Helium)."""
    return 0, layer.weights[2] * 4 if kernels == "mve" and not layer.is_16_bit else 0


def _lstm(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return eight sums per unit, 32-bit or 64-bit, which are kept."""
    return 0, 8 * layer.weights[2] * (8 if layer.is_16_bit else 4) + _LSTM_PARAMETERS


def _pool(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return bytes of a 32-bit sum per channel (DSP)."""
    return (layer.inputs[3] * 4 if kernels == "dsp" else 0), 0


def _transpose_conv(layer: _Layer, kernels: Kernels) -> tuple[int, int]:
    """Return bytes of output rows in 32 bits, or of a convolution and its reversed weights."""
    if layer.is_16_bit:
        return 0, 0
    _, height, width, channels = layer.weights
    if max(layer.stride) <= 2 and layer.inputs[3] > _REVERSED_ABOVE:
        column = height * width * layer.inputs[3]
        columns = 4 * _up(column, 16) if kernels == "mve" else 2 * _up(column, 4) * 2
        return columns + channels * width * height * layer.weights[0], 0
    row = ((layer.inputs[2] - 1) * layer.stride[1] + max(width, layer.stride[0])) * layer.outputs[3]
    return row * max(height, layer.stride[0]) * 4, 0


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _align(size: int) -> int:
    return _up(size, _ALIGNMENT)


_SIZES: dict[str, Callable[[_Layer, Kernels], tuple[int, int]]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matmul,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "AVERAGE_POOL_2D": _pool,
    "TRANSPOSE_CONV": _transpose_conv,
}
