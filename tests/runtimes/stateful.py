"""Models that keep a state between runs, written without a converter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.timing.models import tensor
from tflite_compress.tflite.flatbuffer import pack, schema

WIDTH = 4


def accumulator() -> bytes:
    """Return a model with a resource variable: the output is the sum of the inputs so far, shape (1, 4)."""
    g = schema()
    names = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ADD", "ASSIGN_VARIABLE")
    once, handle = g.CallOnceOptionsT(), g.VarHandleOptionsT()
    once.initSubgraphIndex, handle.container, handle.sharedName = 1, b"", b"total"
    add = g.AddOptionsT()
    main, start = g.SubGraphT(), g.SubGraphT()
    main.tensors = [tensor(name, (1, WIDTH), 0) for name in ("x", "before", "total")]
    main.tensors.append(_resource())
    main.inputs, main.outputs = [0], [2]
    main.operators = [
        _operator(0, [], [], g.BuiltinOptions.CallOnceOptions, once),
        _operator(1, [], [3], g.BuiltinOptions.VarHandleOptions, handle),
        _operator(2, [3], [1]),
        _operator(3, [0, 1], [2], g.BuiltinOptions.AddOptions, add),
        _operator(4, [3, 2], []),
    ]
    start.tensors = [_resource(), tensor("zeros", (1, WIDTH), 1)]
    start.inputs, start.outputs = [], []
    start.operators = [
        _operator(1, [], [0], g.BuiltinOptions.VarHandleOptions, handle),
        _operator(4, [0, 1], []),
    ]
    return _pack([main, start], [np.zeros(WIDTH, np.float32)], names)


def delay() -> bytes:
    """Return a model with a variable tensor, an SVDF that sums the last three inputs, shape (1, 1)."""
    g = schema()
    graph, options = g.SubGraphT(), g.SVDFOptionsT()
    options.rank = 1
    shapes = {
        "x": (1, WIDTH),
        "feature": (1, WIDTH),
        "time": (1, 3),
        "bias": (1,),
        "state": (1, 3),
        "y": (1, 1),
    }
    graph.tensors = [tensor(name, shape, 0) for name, shape in shapes.items()]
    for buffer, index in ((1, 1), (2, 2), (3, 3)):
        graph.tensors[index].buffer = buffer
    graph.tensors[4].isVariable = True
    graph.inputs, graph.outputs = [0], [5]
    graph.operators = [_operator(0, [0, 1, 2, 3, 4], [5], g.BuiltinOptions.SVDFOptions, options)]
    constants = [np.ones(n, np.float32) for n in (WIDTH, 3)]
    return _pack([graph], [*constants, np.zeros(1, np.float32)], ("SVDF",))


def _operator(
    code: int, inputs: list[int], outputs: list[int], kind: int = 0, options: object = None
) -> object:
    op = schema().OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = code, inputs, outputs
    op.builtinOptionsType, op.builtinOptions = kind, options
    return op


def _resource() -> object:
    found = tensor("handle", (), 0)
    found.type = schema().TensorType.RESOURCE
    return found


def _entry(name: bytes, index: int) -> object:
    entry = schema().TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def _pack(graphs: list[Any], constants: list[np.ndarray], names: tuple[str, ...]) -> bytes:
    g = schema()
    model = g.ModelT()
    buffers = [g.BufferT() for _ in range(len(constants) + 1)]
    for buffer, values in zip(buffers[1:], constants, strict=True):
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    codes = []
    for name in names:
        code = g.OperatorCodeT()
        number = getattr(g.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        codes.append(code)
    signature = g.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = [_entry(b"x", 0)], [_entry(b"y", graphs[0].outputs[0])]
    model.signatureDefs = [signature]
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, graphs, buffers, codes
    return pack(model)
