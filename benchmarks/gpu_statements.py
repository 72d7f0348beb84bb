"""Compare what phones were measured to do on their GPU with LiteRT's GPU accelerator on this machine.

A statement about types and shapes is put to the accelerator with the files of ``gpu_operators.py``. One with
a further condition has a file of its own here. Wrong values are looked for by comparing with the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gpu_operators import all_cases, build

from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.gpu_errors import GpuError
from tflite_compress.runtimes.gpu_jobs import GpuFile, GpuRun, run_on_gpu
from tflite_compress.runtimes.gpu_phones import PhoneStatement, phone_statements
from tflite_compress.runtimes.gpu_plan import make_plan
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import read_signature

WRONG_SHARE = 0.05  # a larger difference from the CPU, as a share of the range, is not rounding
GENERATOR = np.random.default_rng(0)


@dataclass(frozen=True)
class Outcome:
    """A statement, and what the accelerator on this machine does.

    Attributes:
        statement: What a phone did.
        verdict: ``same``, ``different``, or ``not testable``.
        detail: What was found here, or why it cannot be tested.
    """

    statement: PhoneStatement
    verdict: str
    detail: str


def compare_statements() -> list[Outcome]:
    """Return one outcome per statement."""
    files: list[GpuFile] = []
    places: list[tuple[PhoneStatement, int, int]] = []
    outcomes: dict[PhoneStatement, Outcome] = {}
    for statement in phone_statements():
        found = _files_for(statement)
        if isinstance(found, str):
            outcomes[statement] = Outcome(statement, "not testable", found)
            continue
        places.append((statement, len(files), len(files) + len(found)))
        files += found
    runs = run_on_gpu(files)
    for statement, start, end in places:
        answers = [_answer(f, r, statement) for f, r in zip(files[start:end], runs[start:end], strict=True)]
        outcomes[statement] = _judge(statement, [a for a in answers if a is not None])
    return [outcomes[statement] for statement in phone_statements()]


def _files_for(statement: PhoneStatement) -> list[GpuFile] | str:
    """Return files to ask about a statement, or why there are none."""
    condition = statement.where or ("constants" if statement.all_constant else None)
    condition = "scalar" if statement.scalar else condition
    if condition is None:
        contents = [build(case) for case in all_cases() if case.operator == statement.operator]
        contents = [c for c in contents if statement.is_about(make_plan(unpack(c), [None], "").operators[0])]
        return [_with_samples(c, statement) for c in contents] or "no file of this form can be built"
    probe = PROBES.get((statement.operator, condition))
    if probe is None:
        return NOT_TESTABLE.get((statement.operator, condition), "the condition is not known well enough")
    return [_with_samples(probe(), statement)]


def _with_samples(content: bytes, statement: PhoneStatement) -> GpuFile:
    if statement.found != "wrong":
        return GpuFile(content)
    signature = read_signature(content)
    if statement.operator == "SQUARED_DIFFERENCE":
        signs = GENERATOR.choice([-1, 1], (2, 1, 4, 64))
        return GpuFile(content, ((signs * GENERATOR.uniform(800, 960, signs.shape)).astype(np.float32),))
    return GpuFile(content, random_data(signature, 2).raw)


def _answer(file: GpuFile, run: GpuRun | GpuError, statement: PhoneStatement) -> tuple[str, str] | None:
    """Return what was found (``gpu``, ``cpu``, ``wrong``, ``crash``) and words; None if LiteRT refuses it."""
    if isinstance(run, GpuError):
        refused_by_litert = "Node number" in run.log and "Delegate" not in run.log
        return None if refused_by_litert and statement.found != "crash" else ("crash", run.message)
    refused = [r for r in run.log.refused if r.operator == statement.operator]
    if refused:
        return "cpu", refused[0].reason
    if file.inputs is None or run.outputs is None:
        return "gpu", "taken"
    expected = host_runtime(seconds=0)(file.content, file.inputs).outputs
    assert expected is not None
    gap = _gap(run.outputs[0], expected[0])
    return ("wrong" if not gap < WRONG_SHARE else "gpu"), f"differs from the CPU by {gap:.2%} of the range"


def _gap(found: np.ndarray, expected: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        gap = float(np.abs(found.astype(np.float64) - expected).max())
    return gap / max(1e-3, float(np.abs(expected).max()))


def _judge(statement: PhoneStatement, answers: list[tuple[str, str]]) -> Outcome:
    if not answers:
        return Outcome(statement, "not testable", "LiteRT prepares no file of this form")
    kinds = {kind for kind, _ in answers}
    detail = "; ".join(dict.fromkeys(text for _, text in answers))[:200]
    return Outcome(statement, "same" if kinds == {statement.found} else "different", detail)


def _floats(*shape: int) -> np.ndarray:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def _add(a: Assembly, x: int, y: int, shape: tuple[int, ...]) -> int:
    return a.operator("ADD", [x, y], f"sum_{x}_{y}", shape, "float32", a.options("AddOptions"))


def _reduce(
    a: Assembly, kind: str, x: int, axes: list[int], shape: tuple[int, ...], keep: bool = True
) -> int:
    where = a.constant("axes", np.array(axes, np.int32))
    options = a.options("ReducerOptions", keepDims=keep)
    return a.operator(kind, [x, where], f"{kind}_{x}", shape, "float32", options)


def _dense(a: Assembly, x: int, weights: int, shape: tuple[int, ...]) -> int:
    options = a.options("FullyConnectedOptions", keepNumDims=True)
    return a.operator("FULLY_CONNECTED", [x, weights, -1], f"dense_{x}", shape, "float32", options)


def scalar_add() -> bytes:
    """A sum without dimensions, added to a vector."""
    a = Assembly("scalar")
    x = a.tensor("x", (1, 4), "float32")
    total = _reduce(a, "SUM", x, [0, 1], (), keep=False)
    return a.finished({"x": x}, {"y": _add(a, total, a.constant("c", np.arange(4, dtype=np.float32)), (4,))})


def layer_norm() -> bytes:
    """LayerNormalization written out."""
    a = Assembly("norm")
    shape, one = (1, 4, 64), (1, 4, 1)
    x = a.tensor("x", shape, "float32")
    mean = _reduce(a, "MEAN", x, [2], one)
    options = a.options("SquaredDifferenceOptions")
    square = a.operator("SQUARED_DIFFERENCE", [x, mean], "square", shape, "float32", options)
    variance = _add(
        a, _reduce(a, "MEAN", square, [2], one), a.constant("e", np.full(1, 1e-5, np.float32)), one
    )
    scale = a.operator("RSQRT", [variance], "scale", one, "float32")
    centred = a.operator("SUB", [x, mean], "centred", shape, "float32", a.options("SubOptions"))
    y = a.operator("MUL", [centred, scale], "y", shape, "float32", a.options("MulOptions"))
    return a.finished({"x": x}, {"y": y})


def large_constant_add() -> bytes:
    """A position embedding of 677 rows."""
    a = Assembly("embedding")
    x = a.tensor("x", (1, 677, 384), "float32")
    return a.finished({"x": x}, {"y": _add(a, x, a.constant("e", _floats(1, 677, 384)), (1, 677, 384))})


def large_constant_dense() -> bytes:
    """A dense layer of a stored tensor, added to the input."""
    a = Assembly("query")
    shape = (1, 100, 256)
    x = a.tensor("x", shape, "float32")
    y = _dense(a, a.constant("q", _floats(*shape)), a.constant("w", _floats(256, 256) / 16), shape)
    return a.finished({"x": x}, {"y": _add(a, x, y, shape)})


def layer_scale() -> bytes:
    """A dense layer, scaled per channel, added to its input."""
    a = Assembly("scale")
    shape = (1, 16, 64)
    x = a.tensor("x", shape, "float32")
    y = _dense(a, x, a.constant("w", _floats(64, 64) / 8), shape)
    z = a.operator("MUL", [y, a.constant("s", _floats(64))], "z", shape, "float32", a.options("MulOptions"))
    return a.finished({"x": x}, {"y": _add(a, x, z, shape)})


def second_dimension() -> bytes:
    """A product that repeats its second dimension."""
    a = Assembly("repeat")
    x, m = a.tensor("x", (1, 1, 8, 16), "float32"), a.tensor("m", (1, 3, 8, 16), "float32")
    y = a.operator("MUL", [x, m], "y", (1, 3, 8, 16), "float32", a.options("MulOptions"))
    return a.finished({"x": x, "m": m}, {"y": y})


def large_sum() -> bytes:
    """A sum over two dimensions of 256."""
    a = Assembly("large")
    x = a.tensor("x", (1, 256, 256, 4), "float32")
    return a.finished({"x": x}, {"y": _reduce(a, "SUM", x, [1, 2], (1, 1, 1, 4))})


def align_corners() -> bytes:
    """Bilinear resizing that aligns corners."""
    a = Assembly("resize")
    x = a.tensor("x", (1, 4, 4, 2), "float32")
    options = a.options("ResizeBilinearOptions", alignCorners=True)
    size = a.constant("size", np.array([8, 8], np.int32))
    return a.finished(
        {"x": x}, {"y": a.operator("RESIZE_BILINEAR", [x, size], "y", (1, 8, 8, 2), "float32", options)}
    )


def hybrid(outputs: int, rows: int, with_add: bool) -> bytes:
    """A dense layer with int8 weights and float input, and an addition behind it."""
    a = Assembly("hybrid")
    shape = (1, rows, 64)
    x, w = (
        a.tensor("x", shape, "float32"),
        a.constant("w", GENERATOR.integers(-127, 127, (outputs, 64), np.int8)),
    )
    y = _dense(a, x, w, (1, rows, outputs))
    return _scaled(a.finished({"x": x}, {"y": _add(a, x, y, shape) if with_add else y}), w, outputs)


def dequantized_weights() -> bytes:
    """A dense layer whose int8 weights pass through DEQUANTIZE."""
    a = Assembly("dequantized")
    x, w = (
        a.tensor("x", (1, 64), "float32"),
        a.constant("w", GENERATOR.integers(-127, 127, (64, 64), np.int8)),
    )
    real = a.operator("DEQUANTIZE", [w], "real", (64, 64), "float32", a.options("DequantizeOptions"))
    return _scaled(a.finished({"x": x}, {"y": _dense(a, x, real, (1, 64))}), w, 1)


def _scaled(content: bytes, tensor: int, count: int) -> bytes:
    """Give a tensor scales."""
    tree = unpack(content)
    parameters = schema().QuantizationParametersT()
    parameters.scale, parameters.zeroPoint = np.full(count, 0.01, np.float32), np.zeros(count, np.int64)
    tree.subgraphs[0].tensors[tensor].quantization = parameters
    return pack(tree)


def constant_only(kind: str) -> bytes:
    """An operator of stored tensors, added to the input."""
    a = Assembly("constant")
    shape = (1, 4, 4, 2)
    x, c = a.tensor("x", shape, "float32"), a.constant("c", _floats(*shape))
    if kind == "DIV":
        y = a.operator(
            "DIV", [c, a.constant("d", _floats(*shape))], "y", shape, "float32", a.options("DivOptions")
        )
    elif kind == "MEAN":
        y = _reduce(a, "MEAN", c, [3], (1, 4, 4, 1))
    elif kind == "SELECT":
        mask = a.constant("m", GENERATOR.integers(0, 2, shape).astype(bool))
        y = a.operator("SELECT", [mask, c, c], "y", shape, "float32", a.options("SelectOptions"))
    else:
        options = a.options(
            "Conv2DOptions", padding=0, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1
        )
        inputs = [c, a.constant("w", _floats(2, 3, 3, 2)), a.constant("b", _floats(2))]
        y = a.operator("CONV_2D", inputs, "y", shape, "float32", options)
    return a.finished({"x": x}, {"y": _add(a, x, y, shape)})


PROBES: dict[tuple[str, str], Callable[[], bytes]] = {
    ("ADD", "scalar"): scalar_add,
    ("ADD", "a large stored tensor (a position embedding)"): large_constant_add,
    ("FULLY_CONNECTED", "its input is a large stored tensor"): large_constant_dense,
    ("FULLY_CONNECTED", "int8 weights for 161 or 128,802 outputs"): lambda: hybrid(161, 1, False),
    ("FULLY_CONNECTED", "int8 weights, in front of an ADD"): lambda: hybrid(64, 8, True),
    ("DEQUANTIZE", "of stored int8 weights, in front of FULLY_CONNECTED"): dequantized_weights,
    ("RESIZE_BILINEAR", "align_corners"): align_corners,
    ("MUL", "per channel, in front of a residual ADD"): layer_scale,
    ("MUL", "the second dimension is broadcast"): second_dimension,
    ("SUM", "over several dimensions of 65,000 elements"): large_sum,
    (
        "SQUARED_DIFFERENCE",
        "LayerNormalization of rows above about 256, whose squares leave float16",
    ): layer_norm,
    ("CONV_2D", "constants"): lambda: constant_only("CONV_2D"),
    ("DIV", "constants"): lambda: constant_only("DIV"),
    ("MEAN", "constants"): lambda: constant_only("MEAN"),
    ("SELECT", "constants"): lambda: constant_only("SELECT"),
}
NOT_TESTABLE = {
    ("CONV_2D", "a file of 930 MB in float16"): "the file is not public in a registry",
    ("FULLY_CONNECTED", "the head of a DETR decoder, which 2.1.5 computed wrong"): "needs the model's file",
    ("STABLEHLO_COMPOSITE", "a softmax that was not lowered"): "the converter of this project writes none",
    ("TRANSPOSE", "the log names no permutation"): "the permutation is not known",
    ("EMBEDDING_LOOKUP", "a table in float16"): "LiteRT has no kernel for it, so no file loads",
    (
        "RESIZE_BILINEAR",
        "the size is computed",
    ): "the loader refuses computed sizes before any operator is asked",
}
