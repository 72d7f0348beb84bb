"""Which runtimes compute which operators from 4-bit weights, for docs/results.md.

    python benchmarks/four_bit_kernels.py

Each question is a file with one operator. A runtime refuses it, or its output is compared with NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from results import write_section

from tflite_compress.runtimes import emulator
from tflite_compress.support.backend import native_noise_captured
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import pack, schema

Run = Callable[[bytes, np.ndarray], np.ndarray]
INPUT, OUTPUT = (0.05, 3), (0.1, -2)  # scale and zero point of int8 activations
DEPTH, CHANNELS, BLOCK = 64, 8, 32
WEIGHTS = {
    "CONV_2D": (CHANNELS, 3, 3, DEPTH),
    "DEPTHWISE_CONV_2D": (1, 3, 3, CHANNELS),
    "FULLY_CONNECTED": (CHANNELS, DEPTH),
}
VERSIONS = {"CONV_2D": 8, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 10}
FLOAT_ERROR = 0.03  # of the output's standard deviation: LiteRT rounds float inputs of dense layers to int8


@dataclass(frozen=True)
class Form:
    """An operator with 4-bit weights.

    Attributes:
        operator: As in ``schema.fbs``.
        scales: One scale for each output channel, for the whole tensor, or for each block of 32 inputs.
        activations: Type of input and output.
    """

    operator: str
    scales: Literal["channel", "tensor", "block"]
    activations: Literal["int8", "float32"]

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights in steps, int8; and their scales, which broadcast to the weights or, in blocks, repeat."""
        rng, shape = np.random.default_rng(0), WEIGHTS[self.operator]
        steps = rng.integers(-7, 8, shape).astype(np.int8)
        if self.scales == "tensor":
            return steps, np.full((1,) * len(shape), 0.02, np.float32)
        if self.scales == "block":
            blocks = rng.uniform(0.01, 0.03, (*shape[:-1], shape[-1] // BLOCK))
            return steps, blocks.astype(np.float16)
        channels = np.linspace(0.01, 0.03, CHANNELS, dtype=np.float32)
        is_depthwise = self.operator == "DEPTHWISE_CONV_2D"
        return steps, channels if is_depthwise else channels.reshape(-1, *(1,) * (len(shape) - 1))

    @property
    def sample(self) -> np.ndarray:
        """An input in the type of the activations."""
        depth = CHANNELS if self.operator == "DEPTHWISE_CONV_2D" else DEPTH
        shape = (1, DEPTH) if self.operator == "FULLY_CONNECTED" else (1, 6, 6, depth)
        values = np.random.default_rng(1).integers(-60, 60, shape).astype(np.int8)
        return values if self.activations == "int8" else values.astype(np.float32) / 20

    def expected(self, x: np.ndarray) -> np.ndarray:
        """The output in real numbers, without a bias."""
        steps, scales = self.weights
        scales = scales.astype(np.float64)
        kernel = steps * (np.repeat(scales, BLOCK, axis=-1) if self.scales == "block" else scales)
        real = x.astype(np.float64) if x.dtype != np.int8 else (x.astype(np.float64) - INPUT[1]) * INPUT[0]
        if self.operator == "FULLY_CONNECTED":
            return np.asarray(real @ kernel.T)
        windows = np.lib.stride_tricks.sliding_window_view(real, (3, 3), (1, 2))
        rule = "bhwcij,xijc->bhwc" if self.operator == "DEPTHWISE_CONV_2D" else "bhwcij,oijc->bhwo"
        return np.asarray(np.einsum(rule, windows, kernel))


def file_of(form: Form) -> bytes:
    """A ``.tflite`` with the operator."""
    s, (steps, scales) = schema(), form.weights
    buffers, tensors = [s.BufferT()], []

    def add(name: str, values: np.ndarray, kind: str, quantization: object, constant: bool = True) -> None:
        if constant:
            buffers.append(s.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
        shape = WEIGHTS[form.operator] if name == "w" else values.shape
        tensor = s.TensorT(name=name, shape=list(shape), type=getattr(s.TensorType, kind), hasRank=True)
        tensor.buffer, tensor.quantization = len(buffers) - 1 if constant else 0, quantization
        tensors.append(tensor)

    def affine(scale: np.ndarray, point: int, axis: int = 0) -> Any:
        found = s.QuantizationParametersT(scale=scale.reshape(-1).astype(np.float32), quantizedDimension=axis)
        found.zeroPoint = np.full(scale.size, point, np.int64)
        return found

    is_int8, kind = form.activations == "int8", form.activations.upper()
    axis = 3 if form.operator == "DEPTHWISE_CONV_2D" else 0
    weights = affine(scales, 0, axis)
    if form.scales == "block":
        blocks = s.BlockwiseQuantizationT(scales=4, zeroPoints=-1, blockSize=BLOCK)
        weights = s.QuantizationParametersT(
            detailsType=s.QuantizationDetails.BlockwiseQuantization, details=blocks, quantizedDimension=0
        )
    flat, bias = steps.reshape(-1), np.zeros(CHANNELS, np.int32 if is_int8 else np.float32)
    packed = ((flat[0::2] & 15) | ((flat[1::2] & 15) << 4)).astype(np.uint8)
    of_bias = scales.reshape(-1) * INPUT[0] if form.scales != "block" else np.full(CHANNELS, 0.001)
    add("x", form.sample, kind, affine(np.array([INPUT[0]]), INPUT[1]) if is_int8 else None, False)
    add("w", packed, "INT4", weights)
    add("b", bias, "INT32" if is_int8 else "FLOAT32", affine(of_bias, 0) if is_int8 else None)
    output = form.expected(form.sample)
    add("y", output, kind, affine(np.array([OUTPUT[0]]), OUTPUT[1]) if is_int8 else None, False)
    if form.scales == "block":
        add("s", scales, "FLOAT16", None)
    return _packed(form.operator, tensors, buffers)


def _packed(operator: str, tensors: list[Any], buffers: list[Any]) -> bytes:
    s = schema()
    strides = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    kinds: Mapping[str, tuple[str, dict[str, int]]] = {
        "CONV_2D": ("Conv2DOptions", {**strides, "padding": s.Padding.VALID}),
        "DEPTHWISE_CONV_2D": (
            "DepthwiseConv2DOptions",
            {**strides, "padding": s.Padding.VALID, "depthMultiplier": 1},
        ),
        "FULLY_CONNECTED": ("FullyConnectedOptions", {}),
    }
    options, values = kinds[operator]
    number = getattr(s.BuiltinOperator, operator)
    code = s.OperatorCodeT(builtinCode=number, deprecatedBuiltinCode=number, version=VERSIONS[operator])
    op = s.OperatorT(opcodeIndex=0, inputs=[0, 1, 2], outputs=[3])
    op.builtinOptionsType = getattr(s.BuiltinOptions, options)
    op.builtinOptions = getattr(s, f"{options}T")(**values)
    graph = s.SubGraphT(name="main", tensors=tensors, operators=[op], inputs=[0], outputs=[3])
    return pack(s.ModelT(version=3, operatorCodes=[code], buffers=buffers, subgraphs=[graph]))


def litert(delegate: bool) -> Run:
    """LiteRT with its own kernels, or with XNNPACK, which leaves to them what it does not take."""

    def run(content: bytes, x: np.ndarray) -> np.ndarray:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kinds = OpResolverType.BUILTIN if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kinds)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))

    return run


def tflm(content: bytes, x: np.ndarray) -> np.ndarray:
    """TFLite Micro's reference kernels."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=100_000)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


def emulated(content: bytes, x: np.ndarray) -> np.ndarray:
    """LiteRT of a Raspberry Pi 4 in QEMU."""
    outputs = emulator.emulated_runtime()(content, (x,)).outputs
    assert outputs is not None
    return outputs[0]


def runs(form: Form, run: Run) -> bool | None:
    """True if a runtime computes the right values, False if it computes wrong ones, None if it refuses."""
    x = form.sample
    with native_noise_captured():
        try:
            found = run(file_of(form), x)
        except (RuntimeError, ValueError, ModelError):
            return None
    wanted = form.expected(x)
    if form.activations == "float32":
        return bool(np.abs(found - wanted).max() < FLOAT_ERROR * wanted.std())
    steps = np.clip(wanted / OUTPUT[0] + OUTPUT[1], -128, 127)
    return bool(np.abs(found - steps).max() <= 1.01)


RUNTIMES: dict[str, Run] = {
    "LiteRT": litert(False),
    "LiteRT with XNNPACK": litert(True),
    "LiteRT, Raspberry Pi 4 in QEMU": emulated,
    "TFLite Micro": tflm,
}
FORMS = [
    Form(operator, scales, activations)
    for activations in ("int8", "float32")
    for operator in WEIGHTS
    for scales in ("channel", "tensor", "block")
    if (operator, scales)
    != ("DEPTHWISE_CONV_2D", "block")  # blocks divide the inputs of a channel: it has one
]


if __name__ == "__main__":
    words = {True: "yes", False: "wrong values", None: "refused"}
    rows = [
        " | ".join(
            [f.activations, f.operator, f"per {f.scales}", *(words[runs(f, r)] for r in RUNTIMES.values())]
        )
        for f in FORMS
    ]
    write_section(
        "Kernels for 4-bit weights",
        [
            "Written by `benchmarks/four_bit_kernels.py`, which runs files of one operator and compares the "
            "outputs with NumPy's. With float32 activations, LiteRT dequantizes weights or rounds inputs.",
            "",
            "| activations | operator | scales | " + " | ".join(RUNTIMES) + " |",
            "|" + "---|" * (3 + len(RUNTIMES)),
            *(f"| {row} |" for row in rows),
        ],
    )
