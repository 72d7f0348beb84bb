"""What every builtin operator computes: products that are summed (MACs), none, or work that is not counted.

Operators are those of ``schema.fbs``, their inputs in the order of LiteRT's kernels. Sums and products of
single elements, pooling and moving values are no MACs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

Kind = Literal["conv", "depthwise", "dense"]
Shapes = list[tuple[int, ...]]  # one per input; an empty tuple for an input that is left out


@dataclass(frozen=True)
class Products:
    """How to count the MACs of one operator.

    Attributes:
        kind: The kind of kernel.
        weights: Indices of the inputs that may hold weights.
        count: ``(shapes of inputs, shape of output, operator) -> MACs``.
        data: Index of the input with the activations.
    """

    kind: Kind
    weights: tuple[int, ...]
    count: Callable[[Shapes, tuple[int, ...], Operator], int]
    data: int = 0


def product(dimensions: Iterable[int]) -> int:
    """Return the product of sizes as a Python integer; open sizes count as 1."""
    return math.prod(max(1, int(d)) for d in dimensions)


def _recurrent(weights: tuple[int, ...]) -> Products:
    """Return a layer that multiplies by all its matrices in each time step of each sequence."""

    def count(shapes: Shapes, output: tuple[int, ...], op: Operator) -> int:
        steps = product(shapes[0][:-1])
        return steps * sum(product(shapes[i]) for i in weights if i < len(shapes) and len(shapes[i]) == 2)

    return Products("dense", weights, count)


def _count_lstm(shapes: Shapes, output: tuple[int, ...], op: Operator) -> int:
    """Count one step of an LSTM; the basic kernel has one matrix, at index 2."""
    matrices = (2,) if getattr(op.builtinOptions, "kernelType", 0) == 1 else _LSTM_MATRICES
    return product(shapes[0][:-1]) * sum(product(shapes[i]) for i in matrices if shapes[i])


def _count_matmul(shapes: Shapes, output: tuple[int, ...], op: Operator) -> int:
    is_transposed = bool(getattr(op.builtinOptions, "adjX", False))
    return product(output) * max(1, shapes[0][-2 if is_transposed else -1])


_LSTM_MATRICES = (*range(1, 9), 16)  # input to gates, recurrent, projection
_BACKWARD_MATRICES = (*range(18, 26), 33, *range(40, 48))  # the same backwards, and the auxiliary input's

PRODUCTS: dict[str, Products] = {
    "CONV_2D": Products("conv", (1,), lambda s, y, op: product(y) * product(s[1][1:])),
    "DEPTHWISE_CONV_2D": Products("depthwise", (1,), lambda s, y, op: product(y) * product(s[1][1:3])),
    "CONV_3D": Products("conv", (1,), lambda s, y, op: product(y) * product(s[1][:4])),
    "TRANSPOSE_CONV": Products("conv", (1,), lambda s, y, op: product(s[2]) * product(s[1][:3]), data=2),
    "CONV_3D_TRANSPOSE": Products("conv", (1,), lambda s, y, op: product(s[2]) * product(s[1][:4]), data=2),
    "FULLY_CONNECTED": Products("dense", (1,), lambda s, y, op: product(y) * max(1, s[1][-1])),
    "BATCH_MATMUL": Products("dense", (0, 1), _count_matmul),
    "SVDF": Products("dense", (1, 2), lambda s, y, op: product(s[0][:-1]) * (product(s[1]) + product(s[2]))),
    "RNN": _recurrent((1, 2)),
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent((1, 2)),
    "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent((1, 2, 5, 6, 10, 11)),
    "LSTM": Products("dense", _LSTM_MATRICES, _count_lstm),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent(_LSTM_MATRICES),
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent((*_LSTM_MATRICES, *_BACKWARD_MATRICES)),
}

# Weights without MACs; the converter makes a GATHER of an Embedding layer.
_TABLES = {"EMBEDDING_LOOKUP": (1,), "EMBEDDING_LOOKUP_SPARSE": (3,), "GATHER": (0,), "PRELU": (1,)}

_EITHER = ("BATCH_MATMUL", "GATHER")

# Operators that sum no products. An operator in neither this list nor PRODUCTS is not counted.
WITHOUT_PRODUCTS = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE ATAN2 AVERAGE_POOL_2D BATCH_TO_SPACE_ND BITCAST
    BITWISE_XOR BROADCAST_ARGS BROADCAST_TO BUCKETIZE CALL_ONCE CAST CEIL COMPLEX_ABS CONCATENATION
    CONCAT_EMBEDDINGS COS CUMSUM DENSIFY DEPTH_TO_SPACE DEQUANTIZE DILATE DIV DYNAMIC_UPDATE_SLICE
    ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FAKE_QUANT FILL FLOOR FLOOR_DIV FLOOR_MOD GATHER
    GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT
    HASHTABLE_LOOKUP HASHTABLE_SIZE IMAG L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
    LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX
    MATRIX_DIAG MATRIX_SET_DIAG MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL MULTINOMIAL NEG
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU
    QUANTIZE RANDOM_STANDARD_NORMAL RANDOM_UNIFORM RANGE RANK READ_VARIABLE REAL REDUCE_ALL
    REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_WINDOW RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE REVERSE_V2 RIGHT_SHIFT ROUND
    RSQRT SCATTER_ND SEGMENT_SUM SELECT SELECT_V2 SHAPE SIGN SIN SKIP_GRAM SLICE SOFTMAX
    SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPARSE_TO_DENSE SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE
    SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE UNIQUE UNPACK UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM VAR_HANDLE WHERE ZEROS_LIKE
    STABLEHLO_ABS STABLEHLO_ADD STABLEHLO_AND STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CBRT
    STABLEHLO_CLAMP STABLEHLO_COMPARE STABLEHLO_CONCATENATE STABLEHLO_CONVERT STABLEHLO_COSINE
    STABLEHLO_DIVIDE STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_EXPONENTIAL
    STABLEHLO_FLOOR STABLEHLO_GATHER STABLEHLO_IOTA STABLEHLO_LOG STABLEHLO_LOGISTIC
    STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY STABLEHLO_NEGATE STABLEHLO_OR
    STABLEHLO_PAD STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RESHAPE STABLEHLO_RNG_BIT_GENERATOR
    STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SHIFT_LEFT STABLEHLO_SLICE STABLEHLO_SUBTRACT
    STABLEHLO_TANH STABLEHLO_TRANSPOSE TFLM_DECODE
    """.split()
)


def count_operator(name: str, op: Operator, graph: Graph) -> int | None:
    """Return the MACs of one operator in one run: 0 if it sums no products, None if it is not counted.

    Loops and branches are not counted, because the file does not tell how often they run. Custom operators,
    Fourier transforms and StableHLO's convolutions and products are not counted either.

    Args:
        name: Its name in ``schema.fbs``, or its custom name.
        op: The operator.
        graph: Its graph.
    """
    if name in WITHOUT_PRODUCTS:
        return 0
    known = PRODUCTS.get(name)
    if known is None or not len(op.outputs):
        return None
    shapes = [shape_of(graph.tensors[i]) if i >= 0 else () for i in op.inputs]
    try:
        return known.count(shapes, shape_of(graph.tensors[op.outputs[0]]), op)
    except IndexError:  # a file that lacks inputs or dimensions; the runtime says so
        return None


def weight_inputs(name: str, op: Operator) -> list[int]:
    """Return the indices of the tensors that may hold an operator's weights, constant or not."""
    places = PRODUCTS[name].weights if name in PRODUCTS else _TABLES.get(name, ())
    if name == "LSTM" and getattr(op.builtinOptions, "kernelType", 0) == 1:
        places = (2,)
    return [int(op.inputs[i]) for i in places if i < len(op.inputs) and op.inputs[i] >= 0]


def named_weights(name: str, op: Operator, graph: Graph, model: ModelTree) -> list[int]:
    """Return the tensors with an operator's weights, without activations that stand in their place.

    A product of matrices and a GATHER take activations or weights. Weights of other operators may be unpacked
    from a constant by another operator.
    """
    found = weight_inputs(name, op)
    if name not in _EITHER:
        return found
    data = {i: model.buffers[graph.tensors[i].buffer].data for i in found}
    return [i for i, values in data.items() if values is not None and len(values)]
