"""Models written without a converter, so that tests of timing need no TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.tflite.flatbuffer import pack, schema


def dense(width: int, layers: int = 2) -> bytes:
    """Fully connected layers of ``width`` units, float32, batch 1."""
    g = schema()
    generator = np.random.default_rng(0)
    graph, buffers = g.SubGraphT(), [g.BufferT()]
    graph.tensors = [tensor("x", (1, width), 0)]
    graph.operators = []
    for number in range(layers):
        buffer = g.BufferT()
        values = generator.standard_normal((width, width)).astype(np.float32) / width
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        buffers.append(buffer)
        weights, output = len(graph.tensors), len(graph.tensors) + 1
        graph.tensors += [tensor(f"w{number}", (width, width), len(buffers) - 1)]
        graph.tensors += [tensor(f"layer_{number}", (1, width), 0)]
        op = g.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = 0, [output - 2 if number else 0, weights, -1], [output]
        op.builtinOptionsType = g.BuiltinOptions.FullyConnectedOptions
        op.builtinOptions = g.FullyConnectedOptionsT()
        graph.operators.append(op)
    graph.inputs, graph.outputs = [0], [len(graph.tensors) - 1]
    code = g.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = g.BuiltinOperator.FULLY_CONNECTED
    model = g.ModelT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], buffers, [code]
    return pack(model)


def relu(shape: tuple[int, ...]) -> bytes:
    """The positive part of one input, float32."""
    g = schema()
    graph, op, code, model = g.SubGraphT(), g.OperatorT(), g.OperatorCodeT(), g.ModelT()
    graph.tensors = [tensor("x", shape, 0), tensor("y", shape, 0)]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [op]
    op.opcodeIndex, op.inputs, op.outputs = 0, [0], [1]
    code.builtinCode = code.deprecatedBuiltinCode = g.BuiltinOperator.RELU
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [g.BufferT()], [code]
    return pack(model)


def tensor(name: str, shape: tuple[int, ...], buffer: int) -> Any:
    """Return a float32 tensor."""
    g = schema()
    made = g.TensorT()
    made.name, made.shape, made.buffer = name.encode(), list(shape), buffer
    made.type = g.TensorType.FLOAT32
    return made
