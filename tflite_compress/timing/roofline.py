"""Measure the machine's peak rates: multiply-accumulates (MACs) per second and bytes per second.

S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model", 2009. The peak
is measured with the same kernels and threads on a layer they run well, a 1x1 convolution of 256 channels.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.tflite.flatbuffer import pack, schema
from tflite_compress.tflite.tree import Quantization, Tensor
from tflite_compress.timing.interleaved import Contender, Kernels, start_contender

CHANNELS, SIDE = 256, 32
COPY_BYTES = 64 << 20
RUNS = 20
Type = Literal["FLOAT32", "INT8"]


@dataclass(frozen=True)
class Roofline:
    """The machine's measured peak rates.

    Attributes:
        gmacs_per_s: 10^9 MACs per second, by type of the activations.
        gbytes_per_s: 10^9 bytes read and written per second by a copy in memory on one thread.
    """

    gmacs_per_s: dict[str, float]
    gbytes_per_s: float

    def attainable(self, type_: str, macs: int, moved_bytes: int) -> float | None:
        """Return the maximum GMAC/s of an operator, limited by compute or memory; None for other types."""
        peak = self.gmacs_per_s.get(type_)
        if peak is None or not macs or not moved_bytes:
            return None
        return min(peak, self.gbytes_per_s * macs / moved_bytes)


def measure_roofline(types: set[str], kernels: Kernels, threads: int) -> Roofline:
    """Measure this machine's peak rates.

    Args:
        types: Types of activations; only ``FLOAT32`` and ``INT8`` are measured.
        kernels: The kernels to use.
        threads: CPU threads.
    """
    peaks: dict[str, float] = {}
    known: tuple[Type, ...] = ("FLOAT32", "INT8")
    for type_ in (t for t in known if t in types):
        dtype = np.float32 if type_ == "FLOAT32" else np.int8
        inputs = (np.ones((1, 1, SIDE, SIDE, CHANNELS), dtype),)
        with start_contender(Contender("peak", build_peak_model(type_), inputs, kernels, threads)) as (
            child,
            _,
        ):
            child.run(RUNS)
            fastest = float(np.percentile(child.run(RUNS), 10))
        peaks[type_] = SIDE * SIDE * CHANNELS * CHANNELS / fastest / 1e6
    return Roofline(peaks, measure_copy_speed())


def measure_copy_speed() -> float:
    """Return the GB/s read and written by the fastest of several copies larger than the caches."""
    source = np.ones(COPY_BYTES // 8)
    target = np.empty_like(source)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2 * COPY_BYTES / best / 1e9


def build_peak_model(type_: Type) -> bytes:
    """Build a model with one 1x1 convolution, batch 1."""
    g = schema()
    generator = np.random.default_rng(0)
    whole = type_ == "INT8"
    values = generator.integers(-127, 127, (CHANNELS, 1, 1, CHANNELS))
    weights = values.astype(np.int8) if whole else (values / 1000).astype(np.float32)
    bias = np.zeros(CHANNELS, np.int32 if whole else np.float32)
    buffers = [g.BufferT() for _ in range(3)]
    for buffer, array in zip(buffers[1:], (weights, bias), strict=True):
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
    shape = (1, SIDE, SIDE, CHANNELS)
    graph = g.SubGraphT()
    graph.tensors = [
        _tensor("x", shape, type_, 0, [0.05]),
        _tensor("w", weights.shape, type_, 1, [0.01] * CHANNELS),
        _tensor("b", bias.shape, "INT32" if whole else type_, 2, [0.0005] * CHANNELS),
        _tensor("y", shape, type_, 0, [0.5]),
    ]
    op = g.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = 0, [0, 1, 2], [3]
    op.builtinOptionsType, op.builtinOptions = g.BuiltinOptions.Conv2DOptions, g.Conv2DOptionsT()
    op.builtinOptions.strideH = op.builtinOptions.strideW = 1
    op.builtinOptions.dilationHFactor = op.builtinOptions.dilationWFactor = 1
    graph.operators, graph.inputs, graph.outputs = [op], [0], [3]
    code = g.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = g.BuiltinOperator.CONV_2D
    code.version = 3 if whole else 1
    model = g.ModelT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], buffers, [code]
    return pack(model)


def _tensor(name: str, shape: tuple[int, ...], type_: str, buffer: int, scales: list[float]) -> Tensor:
    g = schema()
    tensor: Tensor = g.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), list(shape), buffer
    tensor.type = getattr(g.TensorType, type_)
    if type_ != "FLOAT32":
        quantization: Quantization = g.QuantizationParametersT()
        quantization.scale = np.asarray(scales, np.float32)
        zero_points: np.ndarray = np.zeros(len(scales), np.int64)
        quantization.zeroPoint = zero_points
        quantization.quantizedDimension = 0
        tensor.quantization = quantization
    return tensor
