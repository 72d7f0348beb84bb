"""Ask LiteRT's GPU accelerator about each builtin operator, and write the table that ``check`` falls back to.

    python benchmarks/gpu_operators.py > devices/tables/gpu_operators.json

One tiny file per operator, type, rank and choice of constants is compiled. Operators that LiteRT itself does
not prepare in that form are left out. Needs ``tflite-compress setup-gpu``; takes a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from tflite_compress.runtimes.gpu import accelerator_version
from tflite_compress.runtimes.gpu_jobs import GpuFile, GpuRun, run_on_gpu
from tflite_compress.runtimes.gpu_plan import refusal_of
from tflite_compress.runtimes.gpu_table import Answer, answer_key
from tflite_compress.tflite.flatbuffer import numpy_type, pack, schema, unpack

SHAPES = {1: (4,), 2: (1, 4), 3: (1, 2, 4), 4: (1, 2, 2, 4), 5: (1, 2, 2, 2, 4)}
TYPES = ("FLOAT32", "INT8", "INT32", "INT64", "BOOL")
UNARY = {
    "ABS": "AbsOptions", "CEIL": None, "COS": "CosOptions", "ELU": None, "EXP": "ExpOptions", "FLOOR": None,
    "GELU": "GeluOptions", "HARD_SWISH": "HardSwishOptions", "L2_NORMALIZATION": "L2NormOptions",
    "LEAKY_RELU": "LeakyReluOptions", "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions",
    "LOG": None, "LOG_SOFTMAX": "LogSoftmaxOptions", "LOGICAL_NOT": "LogicalNotOptions", "LOGISTIC": None,
    "NEG": "NegOptions", "RELU": None, "RELU6": None, "RELU_0_TO_1": None, "RELU_N1_TO_1": None,
    "ROUND": None, "RSQRT": None, "SIGN": "SignOptions", "SIN": None, "SOFTMAX": "SoftmaxOptions",
    "SQRT": None, "SQUARE": "SquareOptions", "TANH": None, "ZEROS_LIKE": "ZerosLikeOptions",
}  # fmt: skip
BINARY = {
    "ADD": "AddOptions", "ATAN2": "ATan2Options", "BITWISE_XOR": "BitwiseXorOptions", "DIV": "DivOptions",
    "FLOOR_DIV": "FloorDivOptions", "FLOOR_MOD": "FloorModOptions", "LOGICAL_AND": "LogicalAndOptions",
    "LOGICAL_OR": "LogicalOrOptions", "MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions",
    "MUL": "MulOptions", "POW": "PowOptions", "PRELU": None, "RIGHT_SHIFT": "RightShiftOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions", "SUB": "SubOptions",
}  # fmt: skip
COMPARISONS = {
    "EQUAL": "EqualOptions", "GREATER": "GreaterOptions", "GREATER_EQUAL": "GreaterEqualOptions",
    "LESS": "LessOptions", "LESS_EQUAL": "LessEqualOptions", "NOT_EQUAL": "NotEqualOptions",
}  # fmt: skip
REDUCTIONS = (
    "MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM",
)  # fmt: skip
VERSIONS = {"BROADCAST_TO": 2}  # where LiteRT has no kernel for version 1
STEPS = {
    "LOGISTIC": (1 / 256, -128),
    "SOFTMAX": (1 / 256, -128),
    "TANH": (1 / 128, 0),
    "L2_NORMALIZATION": (1 / 128, 0),
}


@dataclass(frozen=True)
class Value:
    """An input or output: its shape and type, its values if it is a constant, scale and zero point."""

    shape: tuple[int, ...]
    type: str
    values: tuple[float, ...] | None = None
    step: tuple[float, int] = (0.5, 0)


@dataclass(frozen=True)
class Case:
    """A file with one operator."""

    operator: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    options: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


def constant(*values: int) -> Value:
    """Return a constant vector of int32."""
    return Value((len(values),), "INT32", values)


def filled(shape: tuple[int, ...], kind: str) -> Value:
    """Return a constant of ones."""
    return Value(shape, kind, (1,) * int(np.prod(shape)))


def elementwise(rank: int, kind: str) -> Iterator[Case]:
    """Yield operators that compute each element by itself."""
    shape = SHAPES[rank]
    x = Value(shape, kind)
    for name, options in UNARY.items():
        settings: dict[str, object] = {"beta": 1.0} if name == "SOFTMAX" else {}
        if name == "LOCAL_RESPONSE_NORMALIZATION":
            settings = {"radius": 1, "bias": 1.0, "alpha": 1.0, "beta": 0.5}
        if name == "LEAKY_RELU":
            settings = {"alpha": 0.1}
        step = STEPS.get(name, x.step) if kind == "INT8" else x.step
        yield Case(name, (x,), (replace(x, step=step),), options, settings)
    for name, options in BINARY.items():
        yield Case(name, (x, x), (x,), options)
        yield Case(name, (x, filled(shape[-1:] if name != "PRELU" else shape[1:], kind)), (x,), options)
        if name != "PRELU":
            yield Case(name, (filled(shape, kind), x), (x,), options)
    for name, options in COMPARISONS.items():
        yield Case(name, (x, x), (Value(shape, "BOOL"),), options)
        yield Case(name, (x, filled(shape, kind)), (Value(shape, "BOOL"),), options)
    yield Case("ADD_N", (x, x, x), (x,), "AddNOptions")
    condition = Value(shape, "BOOL")
    yield Case("SELECT", (condition, x, x), (x,), "SelectOptions")
    yield Case("SELECT_V2", (condition, x, x), (x,), "SelectV2Options")
    for other in TYPES:
        if other != kind:
            numbers = {"inDataType": kind, "outDataType": other}
            yield Case("CAST", (x,), (Value(shape, other),), "CastOptions", numbers)
    yield Case("RANK", (x,), (Value((), "INT32"),), "RankOptions")
    yield Case("FILL", (constant(*shape), Value((), kind)), (x,), "FillOptions")
    yield Case("MATRIX_DIAG", (x,), (Value((*shape, shape[-1]), kind),), "MatrixDiagOptions")
    yield Case("DEQUANTIZE", (x,), (Value(shape, "FLOAT32"),), "DequantizeOptions")
    yield Case("QUANTIZE", (x,), (Value(shape, "INT8"),), "QuantizeOptions")
    yield Case("QUANTIZE", (x,), (Value(shape, "UINT8", step=(0.5, 128)),), "QuantizeOptions")


def reductions(rank: int, kind: str) -> Iterator[Case]:
    """Yield operators that reduce or search along the last dimension."""
    shape = SHAPES[rank]
    x, kept = Value(shape, kind), Value((*shape[:-1], 1), kind)
    for name in REDUCTIONS:
        yield Case(name, (x, constant(rank - 1)), (kept,), "ReducerOptions", {"keepDims": True})
    for name, options in {"ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions"}.items():
        for found in ("INT32", "INT64"):
            yield Case(
                name, (x, constant(rank - 1)), (Value(shape[:-1], found),), options, {"outputType": found}
            )
    yield Case("CUMSUM", (x, constant(rank - 1)), (x,), "CumsumOptions")
    top = (*shape[:-1], 2)
    yield Case(
        "TOPK_V2",
        (x, Value((), "INT32", (2,))),
        (Value(top, kind), Value(top, "INT32")),
        "TopKV2Options",
    )


def moves(rank: int, kind: str) -> Iterator[Case]:
    """Yield operators that move values."""
    shape = SHAPES[rank]
    x, count = Value(shape, kind), int(np.prod(shape))
    flat = Value((count,), kind)
    yield Case("RESHAPE", (x, constant(count)), (flat,), "ReshapeOptions", {"newShape": [count]})
    yield Case("RESHAPE", (flat, constant(*shape)), (x,), "ReshapeOptions", {"newShape": list(shape)})
    yield Case("SQUEEZE", (Value((1, *shape), kind),), (x,), "SqueezeOptions", {"squeezeDims": [0]})
    yield Case("EXPAND_DIMS", (x, constant(0)), (Value((1, *shape), kind),), "ExpandDimsOptions")
    turned = (*range(rank - 2), rank - 1, rank - 2) if rank > 1 else (0,)
    yield Case(
        "TRANSPOSE",
        (x, constant(*turned)),
        (Value(tuple(shape[i] for i in turned), kind),),
        "TransposeOptions",
    )
    twice = Value((*shape[:-1], 2 * shape[-1]), kind)
    yield Case("CONCATENATION", (x, x), (twice,), "ConcatenationOptions", {"axis": rank - 1})
    yield Case("TILE", (x, constant(*(1,) * (rank - 1), 2)), (twice,), "TileOptions")
    yield Case("BROADCAST_TO", (Value((*shape[:-1], 1), kind), constant(*shape)), (x,), "BroadcastToOptions")
    halves = (Value((*shape[:-1], shape[-1] // 2), kind),) * 2
    yield Case("SPLIT", (Value((), "INT32", (rank - 1,)), x), halves, "SplitOptions", {"numSplits": 2})
    sizes = (constant(2, 2), Value((), "INT32", (rank - 1,)))
    yield Case("SPLIT_V", (x, *sizes), halves, "SplitVOptions", {"numSplits": 2})
    yield Case("PACK", (x, x), (Value((2, *shape), kind),), "PackOptions", {"valuesCount": 2, "axis": 0})
    if rank > 1:
        parts = (Value(shape[:-1], kind),) * shape[-1]
        yield Case("UNPACK", (x,), parts, "UnpackOptions", {"num": shape[-1], "axis": rank - 1})
    begin, size = (0,) * rank, (*shape[:-1], 2)
    yield Case("SLICE", (x, constant(*begin), constant(*size)), (Value(size, kind),), "SliceOptions")
    ends = (constant(*begin), constant(*size), constant(*(1,) * rank))
    yield Case("STRIDED_SLICE", (x, *ends), (Value(size, kind),), "StridedSliceOptions")
    padded = Value((*shape[:-1], shape[-1] + 2), kind)
    widths = Value((rank, 2), "INT32", (0,) * (2 * rank - 2) + (1, 1))
    yield Case("PAD", (x, widths), (padded,), "PadOptions")
    yield Case("PADV2", (x, widths, filled((1,), kind)), (padded,), "PadV2Options")
    yield Case("MIRROR_PAD", (x, widths), (padded,), "MirrorPadOptions", {"mode": 0})
    yield Case("REVERSE_V2", (x, constant(rank - 1)), (x,), "ReverseV2Options")
    yield Case(
        "GATHER", (x, constant(0, 1)), (Value((*shape[:-1], 2), kind),), "GatherOptions", {"axis": rank - 1}
    )
    first = Value((1,), "INT32")
    yield Case("GATHER", (x, first), (Value((1, *shape[1:]), kind),), "GatherOptions", {"axis": 0})
    yield Case("GATHER_ND", (x, Value((1, 1), "INT32")), (Value((1, *shape[1:]), kind),), "GatherNdOptions")
    yield Case(
        "DYNAMIC_UPDATE_SLICE",
        (x, Value(size, kind), Value((rank,), "INT32")),
        (x,),
        "DynamicUpdateSliceOptions",
    )
    yield Case("SHAPE", (x,), (Value((rank,), "INT32"),), "ShapeOptions", {"outType": "INT32"})
    yield Case(
        "SCATTER_ND",
        (Value((1, 1), "INT32"), Value((1, *shape[1:]), kind), constant(*shape)),
        (x,),
        "ScatterNdOptions",
    )
    lengths, settings = Value((shape[0],), "INT32"), {"seqDim": rank - 1, "batchDim": 0}
    yield Case("REVERSE_SEQUENCE", (x, lengths), (x,), "ReverseSequenceOptions", settings)
    rows = (Value((2,), "INT32"), filled((3, *shape), kind))
    yield Case("EMBEDDING_LOOKUP", rows, (Value((2, *shape), kind),))
    if rank == 1:
        numbers = (Value((4,), "INT32"), Value((), "INT32", (3,)), filled((), kind), Value((), kind, (0,)))
        yield Case("ONE_HOT", numbers, (Value((4, 3), kind),), "OneHotOptions", {"axis": -1})


def products(rank: int, kind: str) -> Iterator[Case]:
    """Yield operators that multiply by weights or by each other."""
    shape = SHAPES[rank]
    x, y = Value(shape, kind), Value((*shape[:-1], 3), kind)
    weights = filled((3, shape[-1]), kind)
    keep = {"keepNumDims": True}
    yield Case("FULLY_CONNECTED", (x, weights), (y,), "FullyConnectedOptions", keep)
    if rank > 1:
        right = (*shape[:-2], shape[-1], 3)
        yield Case("BATCH_MATMUL", (x, Value(right, kind)), (y,), "BatchMatMulOptions")
        yield Case("BATCH_MATMUL", (x, filled(right, kind)), (y,), "BatchMatMulOptions")
        yield Case("BATCH_MATMUL", (filled(shape, kind), Value(right, kind)), (y,), "BatchMatMulOptions")


def images(kind: str) -> Iterator[Case]:
    """Yield operators on images, of rank 4."""
    x, half, double = Value((1, 4, 4, 4), kind), Value((1, 2, 2, 4), kind), Value((1, 8, 8, 4), kind)
    step: dict[str, object] = {"padding": 0, "strideW": 2, "strideH": 2}
    pool = {**step, "filterWidth": 2, "filterHeight": 2}
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        yield Case(name, (x,), (half,), "Pool2DOptions", pool)
    bias = filled((4,), kind)
    if kind == "INT8":
        bias = replace(filled((4,), "INT32"), step=(0.25, 0))
    dilated = {**step, "dilationWFactor": 1, "dilationHFactor": 1}
    yield Case("CONV_2D", (x, filled((4, 3, 3, 4), kind), bias), (half,), "Conv2DOptions", dilated)
    depth = {**dilated, "depthMultiplier": 1}
    yield Case(
        "DEPTHWISE_CONV_2D", (x, filled((1, 3, 3, 4), kind), bias), (half,), "DepthwiseConv2DOptions", depth
    )
    larger = constant(1, 8, 8, 4)
    yield Case(
        "TRANSPOSE_CONV", (larger, filled((4, 3, 3, 4), kind), x), (double,), "TransposeConvOptions", step
    )
    for name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        options = "ResizeBilinearOptions" if name == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
        yield Case(name, (x, constant(8, 8)), (double,), options, {"halfPixelCenters": True})
    yield Case("DEPTH_TO_SPACE", (x,), (Value((1, 8, 8, 1), kind),), "DepthToSpaceOptions", {"blockSize": 2})
    yield Case("SPACE_TO_DEPTH", (x,), (Value((1, 2, 2, 16), kind),), "SpaceToDepthOptions", {"blockSize": 2})
    zeros = Value((2, 2), "INT32", (0, 0, 0, 0))
    spread = Value((4, 2, 2, 4), kind)
    yield Case("SPACE_TO_BATCH_ND", (x, constant(2, 2), zeros), (spread,), "SpaceToBatchNDOptions")
    yield Case("BATCH_TO_SPACE_ND", (spread, constant(2, 2), zeros), (x,), "BatchToSpaceNDOptions")
    volume, cube = Value((1, 4, 4, 4, 2), kind), {"padding": 0, "strideD": 1, "strideW": 1, "strideH": 1}
    unit = {**cube, "dilationDFactor": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    yield Case("CONV_3D", (volume, filled((3, 3, 3, 2, 2), kind)), (volume,), "Conv3DOptions", unit)


def all_cases() -> Iterator[Case]:
    """Yield every case."""
    for kind in TYPES:
        for rank in SHAPES:
            yield from elementwise(rank, kind)
            yield from reductions(rank, kind)
            yield from moves(rank, kind)
            yield from products(rank, kind)
        yield from images(kind)


def build(case: Case) -> bytes:
    """Return the file of a case."""
    g = schema()
    graph, model, op, code = g.SubGraphT(), g.ModelT(), g.OperatorT(), g.OperatorCodeT()
    model.buffers, graph.tensors = [g.BufferT()], []
    number = getattr(g.BuiltinOperator, case.operator)
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    code.version = VERSIONS.get(case.operator, 1)
    for place, value in enumerate((*case.inputs, *case.outputs)):
        graph.tensors.append(_tensor(value, place, model.buffers))
    op.opcodeIndex, op.inputs = 0, list(range(len(case.inputs)))
    op.outputs = [len(case.inputs) + i for i in range(len(case.outputs))]
    if case.options is not None:
        options = getattr(g, f"{case.options}T")()
        for key, setting in case.settings.items():
            setattr(options, key, getattr(g.TensorType, setting) if isinstance(setting, str) else setting)
        op.builtinOptions, op.builtinOptionsType = options, getattr(g.BuiltinOptions, case.options)
    graph.operators, graph.outputs = [op], op.outputs
    graph.inputs = [i for i, value in enumerate(case.inputs) if value.values is None]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    return pack(model)


def _tensor(value: Value, place: int, buffers: list[object]) -> object:
    """Return a tensor, adding its values to the buffers."""
    g = schema()
    tensor = g.TensorT()
    tensor.name, tensor.shape, tensor.type = f"t{place}", list(value.shape), getattr(g.TensorType, value.type)
    tensor.buffer = 0
    if value.type == "INT8" or value.step != Value.step:
        tensor.quantization = g.QuantizationParametersT()
        tensor.quantization.scale = np.array([value.step[0]], np.float32)
        tensor.quantization.zeroPoint = np.array([value.step[1]])
    if value.values is not None:
        buffer = g.BufferT()
        array: np.ndarray = np.asarray(value.values, numpy_type(value.type)).reshape(value.shape)
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        tensor.buffer = len(buffers)
        buffers.append(buffer)
    return tensor


def write_table(version: str, adapter: str, answers: list[Answer]) -> str:
    """Return the table as JSON with one answer per line."""
    ordered = sorted(answers, key=lambda a: (a.operator, a.type, a.output, a.ranks, a.constants))
    lines = ",\n".join(msgspec.json.encode(answer).decode() for answer in ordered)
    head = msgspec.json.encode({"version": version, "adapter": adapter}).decode()[:-1]
    return f'{head},"answers":[\n{lines}\n]}}'


def main() -> None:
    """Print the table."""
    files = [build(case) for case in all_cases()]
    print(f"{len(files)} files", file=sys.stderr)
    found: dict[tuple[str, str, str, tuple[int, ...], str | None], set[int]] = {}
    adapter = None
    for content, run in zip(files, run_on_gpu([GpuFile(f) for f in files]), strict=True):
        if not isinstance(run, GpuRun):
            continue
        adapter = adapter or run.adapter
        tree = unpack(content)
        key, constants = answer_key(tree, tree.subgraphs[0], tree.subgraphs[0].operators[0])
        about = (key.operator, key.type, key.output, constants, refusal_of(run))
        found.setdefault(about, set()).add(key.rank)
    answers = [
        Answer(name, kind, output, tuple(sorted(ranks)), constants, reason)
        for (name, kind, output, constants, reason), ranks in found.items()
    ]
    silent = sorted({case.operator for case in all_cases()} - {answer.operator for answer in answers})
    print(f"LiteRT prepares none of: {', '.join(silent)}", file=sys.stderr)
    print(write_table(accelerator_version(), str(adapter), answers))


if __name__ == "__main__":
    main()
