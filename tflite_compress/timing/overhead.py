"""Measure the time of calling the interpreter from Python."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.flatbuffer import pack, schema
from tflite_compress.timing.interleaved import Contender, start_contender

RUNS = 5000


def build_empty_model() -> bytes:
    """Build a ``.tflite`` whose output is its input: running it takes only the time of the call."""
    generated = schema()
    tensor = generated.TensorT()
    tensor.shape, tensor.name, tensor.buffer = [1], b"x", 0
    tensor.type = generated.TensorType.FLOAT32
    graph = generated.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor], [0], [0], []
    model = generated.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [generated.BufferT()]
    model.operatorCodes = []
    return pack(model)


def measure_call_overhead(runs: int = RUNS) -> float:
    """Return the median time in ms of one call: Python, its binding, the interpreter, and the clock.

    Args:
        runs: Number of calls.
    """
    nothing = Contender("empty", build_empty_model(), (np.zeros((1, 1), np.float32),))
    with start_contender(nothing) as (child, _):
        child.run(runs)
        return float(np.median(child.run(runs)))
