"""A file whose output shows whether a GPU computes in float16 or in float32."""

from __future__ import annotations

import functools

import numpy as np

from tflite_compress.tflite.flatbuffer import pack, schema

# Float16 has no number between 1 and 1 + 1/1024.
PROBE_INPUT = np.full((1, 1, 4), 1 + 1 / 4096, np.float32)


@functools.cache
def probe_file() -> bytes:
    """Return a file that adds its input, float32 of shape (1, 4), to itself."""
    g = schema()
    code, op, graph, model = g.OperatorCodeT(), g.OperatorT(), g.SubGraphT(), g.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = g.BuiltinOperator.ADD
    op.opcodeIndex, op.inputs, op.outputs = 0, [0, 0], [1]
    op.builtinOptionsType, op.builtinOptions = g.BuiltinOptions.AddOptions, g.AddOptionsT()
    graph.tensors = [g.TensorT(), g.TensorT()]
    for name, tensor in zip(("x", "sum"), graph.tensors, strict=True):
        tensor.name, tensor.shape, tensor.type = name, [1, 4], g.TensorType.FLOAT32
    graph.operators, graph.inputs, graph.outputs = [op], [0], [1]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [g.BufferT()]
    return pack(model)


def is_float16(output: np.ndarray) -> bool:
    """Return True if the probe's output was computed in float16.

    Args:
        output: Output of :func:`probe_file` for :data:`PROBE_INPUT`.
    """
    return not np.array_equal(output, 2 * PROBE_INPUT)
