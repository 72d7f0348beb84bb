"""Models that runtimes refuse, written without a converter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.narrow import present
from tests.timing.models import dense, tensor
from tflite_compress.tflite.flatbuffer import pack, schema, unpack


def single(
    kind: str, inputs: Mapping[str, tuple[tuple[int, ...], str]], output: tuple[tuple[int, ...], str]
) -> bytes:
    """Return a model with one operator.

    Args:
        kind: The operator's name in ``schema.fbs``, or a custom operator's own name.
        inputs: Shape and type by name; inputs called ``w`` are constants.
        output: Its shape and type, with the name ``layer/out``.
    """
    g = schema()
    model = unpack(dense(4, 1))
    graph = model.subgraphs[0]
    model.buffers = [g.BufferT()]
    graph.tensors = [_typed(name, *spec) for name, spec in inputs.items()]
    for made in graph.tensors:
        if made.name == b"w":
            size = math.prod(present(made.shape)) * (4 if made.type == g.TensorType.FLOAT32 else 1)
            buffer = g.BufferT()
            buffer.data = np.zeros(size, np.uint8)
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
    graph.tensors.append(_typed("layer/out", *output))
    op, code = graph.operators[0], model.operatorCodes[0]
    op.inputs, op.outputs = list(range(len(inputs))), [len(inputs)]
    graph.inputs = [i for i, name in enumerate(inputs) if name != "w"]
    graph.outputs = [len(inputs)]
    number = getattr(g.BuiltinOperator, kind, g.BuiltinOperator.CUSTOM)
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    if number == g.BuiltinOperator.CUSTOM:
        code.customCode = kind.encode()
        op.builtinOptions, op.builtinOptionsType = None, 0
    elif kind == "CONCATENATION":
        options = g.ConcatenationOptionsT()
        options.axis = 1
        op.builtinOptions = options
        op.builtinOptionsType = g.BuiltinOptions.ConcatenationOptions
    return pack(model)


def _typed(name: str, shape: tuple[int, ...], kind: str) -> Any:
    made = tensor(name, shape, 0)
    made.type = getattr(schema().TensorType, kind)
    if kind in ("INT8", "UINT8", "INT16"):
        made.quantization = schema().QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = np.array([0.1], np.float32), np.array([0])
    return made


FLOAT = "FLOAT32"
CONCATENATION = single(
    "CONCATENATION", {"a": ((1, 2, 3), FLOAT), "b": ((1, 2, 4), FLOAT)}, ((1, 4, 3), FLOAT)
)
UINT8 = single("FULLY_CONNECTED", {"x": ((1, 4), "UINT8"), "w": ((4, 4), "UINT8")}, ((1, 4), "UINT8"))
HYBRID = single("FULLY_CONNECTED", {"x": ((1, 4), FLOAT), "w": ((4, 4), "INT8")}, ((1, 4), FLOAT))
CUSTOM = single("MyOperator", {"x": ((1, 4), FLOAT)}, ((1, 4), FLOAT))
FLEX = single("FlexErf", {"x": ((1, 4), FLOAT)}, ((1, 4), FLOAT))
INT8_FLOOR = single("FLOOR", {"x": ((1, 4), "INT8")}, ((1, 4), "INT8"))
BITCAST = single("BITCAST", {"x": ((1, 4), FLOAT)}, ((1, 4), FLOAT))
GATHER_INT64 = single("GATHER", {"w": ((4, 4), "INT8"), "x": ((1, 1), "INT64")}, ((1, 1, 4), "INT8"))
