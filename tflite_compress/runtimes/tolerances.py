"""The largest difference between two runtimes' outputs that rounding explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.tflite.flatbuffer import operator_name, type_name
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, read_scales

SAME_KERNELS_STEPS = 1
OTHER_KERNELS_STEPS = 3  # measured before the last operator of int8 networks with 1 to 17 operators: 0 to 3
FLOAT_SHARE = 1e-4
OTHER_KERNELS_FLOAT_SHARE = 1e-3  # measured: 0.05 % in pose networks of 150 layers, between any two kernels
FLOAT16_SHARE = 2e-2  # benchmarks/gpu.py: 30 of 42 public networks differ by less on random samples
FLOAT16_STEP = 2.0**-10  # between two numbers of float16 from 1 to 2
MIN_RANGE = 1e-3
ACTIVATION_STEPS = {1: 255, 2: 65535}  # steps of an activation's range, by bytes of an element
_PASSING = ("DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE")
_SQUASHING = ("SOFTMAX", "LOGISTIC")

# How a runtime rounds, compared with another: as the same kernels do, as other kernels in the same precision,
# or as kernels that compute floats in float16.
Rounding = Literal["same kernels", "other kernels", "float16"]


@dataclass(frozen=True, eq=False)
class Tolerance:
    """The largest difference that counts as equal, for one output.

    Attributes:
        values: One number per element, in the shape of the output; in steps for integer outputs.
        rule: What it is derived from, as text.
    """

    values: np.ndarray
    rule: str


@dataclass(frozen=True)
class _End:
    """The end of the graph in front of an output.

    Attributes:
        step: Quantization step of the output's values; None if they are float32.
        squash: SOFTMAX or LOGISTIC if it computes the output, else None.
        beta: Factor on the input of the SOFTMAX.
        inner_step: Quantization step of the squashed input; None if it is float32.
    """

    step: float | None
    squash: str | None = None
    beta: float = 1.0
    inner_step: float | None = None


def find_tolerances(tree: ModelTree, outputs: Arrays, rounding: Rounding) -> tuple[Tolerance, ...]:
    """Return the differences that rounding explains, per output.

    The same kernels differ by one quantization step, or by 0.01 % of the range of a float output. Other
    kernels round every operator differently: 3 steps, or 0.1 % of the range. Float16 has 11 significant
    bits, so floats differ by 2 % of the range. SOFTMAX and LOGISTIC enlarge the steps of their input.

    Args:
        tree: The decoded file.
        outputs: Raw outputs to compare with, one array per output.
        rounding: How the runtimes' kernels differ.
    """
    graph = tree.subgraphs[0]
    signature = read_signature(tree)
    activation_steps = None if rounding == "same kernels" else _find_activation_steps(tree)
    found = []
    for spec, values in zip(signature.outputs, outputs, strict=True):
        if spec.dtype.kind in "iub" and not spec.is_quantized:
            found.append(Tolerance(np.zeros(values.shape), "integers without a scale must be equal"))
            continue
        end = _trace(tree, graph, spec)
        real = np.asarray(spec.to_real(values), np.float64)
        if rounding == "same kernels":
            tolerance = _same_kernels(end, real)
        elif rounding == "float16" and activation_steps is None and end.step is None:
            tolerance = _float16(end, real)
        else:
            tolerance = _other_kernels(end, real, activation_steps)
        unit = spec.scale if spec.is_quantized else 1.0
        found.append(Tolerance(tolerance.values / unit, tolerance.rule))
    return tuple(found)


def _same_kernels(end: _End, real: np.ndarray) -> Tolerance:
    if end.step is not None:
        return _uniform(real, SAME_KERNELS_STEPS * end.step, f"{SAME_KERNELS_STEPS} step of {end.step:.3g}")
    return _float_share(real, FLOAT_SHARE)


def _other_kernels(end: _End, real: np.ndarray, activation_steps: int | None) -> Tolerance:
    """Tolerance for kernels that round differently, in real numbers."""
    if end.squash is not None and (end.inner_step is not None or activation_steps is not None):
        step = end.inner_step
        if step is None:
            step = _squashed_range(end, real) / (activation_steps or 1)
        moved = _move(end, real, OTHER_KERNELS_STEPS * step)
        rule = f"{OTHER_KERNELS_STEPS} steps of {step:.3g} before {end.squash}"
        return Tolerance(moved + (end.step or 0.0), rule)
    if end.step is not None:
        return _uniform(
            real, OTHER_KERNELS_STEPS * end.step, f"{OTHER_KERNELS_STEPS} steps of {end.step:.3g}"
        )
    if activation_steps is not None:
        step = _range(real) / activation_steps
        rule = f"{OTHER_KERNELS_STEPS} of the {activation_steps:,} steps of integer activations"
        return _uniform(real, max(OTHER_KERNELS_STEPS * step, OTHER_KERNELS_FLOAT_SHARE * _range(real)), rule)
    return _float_share(real, OTHER_KERNELS_FLOAT_SHARE)


def _float16(end: _End, real: np.ndarray) -> Tolerance:
    """Tolerance for floats computed in float16, in real numbers."""
    if end.squash is None:
        return _float_share(real, FLOAT16_SHARE)
    inputs = _squashed_range(end, real)
    rule = f"{FLOAT16_SHARE:.2%} of the range of {inputs:.3g} before {end.squash}, in float16"
    return Tolerance(_move(end, real, FLOAT16_SHARE * inputs) + FLOAT16_STEP, rule)


def _float_share(real: np.ndarray, share: float) -> Tolerance:
    largest = _range(real)
    return _uniform(real, share * largest, f"{share:.2%} of the range of {largest:.3g}")


def _uniform(real: np.ndarray, value: float, rule: str) -> Tolerance:
    return Tolerance(np.full(real.shape, value), rule)


def _range(real: np.ndarray) -> float:
    finite = np.abs(real[np.isfinite(real)])
    return max(MIN_RANGE, float(finite.max(initial=0)))


def _move(end: _End, real: np.ndarray, shift: float) -> np.ndarray:
    """Return how far probabilities move at most if each input of the last operator moves by ``shift``."""
    change = 2 * end.beta * shift if end.squash == "SOFTMAX" else shift
    odds = np.exp(np.float64(min(change, 50.0)))
    share = np.clip(real, 0, 1)
    up = share * odds / (share * odds + 1 - share)
    down = share / (share + (1 - share) * odds)
    return np.asarray(np.maximum(up - share, share - down))


def _squashed_range(end: _End, real: np.ndarray) -> float:
    """Return the range of the squashed input, from the outputs."""
    share = np.clip(real, 1e-7, 1 - 1e-7)
    inputs = np.log(share) / end.beta if end.squash == "SOFTMAX" else np.log(share / (1 - share))
    return max(MIN_RANGE, float(np.ptp(inputs)))


def _trace(tree: ModelTree, graph: Graph, spec: FileTensorSpec) -> _End:
    """Walk back from an output over operators that only move or convert values."""
    makers = {int(i): op for op in graph.operators or [] for i in op.outputs}
    index, step = spec.tensor, _step(graph.tensors[spec.tensor])
    while index in makers and operator_name(tree, makers[index]) in _PASSING:
        index = int(makers[index].inputs[0])
        step = _step(graph.tensors[index]) if step is None else step
    maker = makers.get(index)
    kind = None if maker is None else operator_name(tree, maker)
    if maker is None or kind not in _SQUASHING:
        return _End(step)
    inner = _step_before(tree, graph, makers, int(maker.inputs[0]))
    return _End(step, kind, float(getattr(maker.builtinOptions, "beta", 1.0)) or 1.0, inner)


def _step_before(tree: ModelTree, graph: Graph, makers: dict[int, Operator], index: int) -> float | None:
    """Return the quantization step of a tensor, or of the integers it was converted from."""
    while _step(graph.tensors[index]) is None and index in makers:
        if operator_name(tree, makers[index]) not in _PASSING:
            return None
        index = int(makers[index].inputs[0])
    return _step(graph.tensors[index])


def _step(tensor: Tensor) -> float | None:
    """Return the quantization step of a tensor's values; None if they are not quantized per tensor."""
    scales = read_scales(tensor)
    is_integer = type_name(tensor.type) in ("INT8", "UINT8", "INT16")
    return float(scales[0]) if is_integer and len(scales) == 1 and scales[0] > 0 else None


def _find_activation_steps(tree: ModelTree) -> int | None:
    """Return the number of steps of the coarsest integer activations; None if all compute in float.

    Operators with float inputs and integer weights quantize their inputs to 8 bits when they run.
    """
    widths = set()
    for graph in tree.subgraphs:
        for op in graph.operators or []:
            tensors = [graph.tensors[int(i)] for i in op.inputs if i >= 0]
            weights = [t for t in tensors if _is_constant(tree, t)]
            widths |= {_bytes(t) for t in tensors if _step(t) is not None and not _is_constant(tree, t)}
            is_float = bool(tensors) and type_name(tensors[0].type) == "FLOAT32"
            if is_float and any(len(read_scales(t)) for t in weights):
                widths.add(1)
    return ACTIVATION_STEPS[min(widths)] if widths else None


def _is_constant(tree: ModelTree, tensor: Tensor) -> bool:
    data = tree.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _bytes(tensor: Tensor) -> int:
    return 2 if type_name(tensor.type) == "INT16" else 1
