"""What calling the interpreter from Python costs by itself."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.flatbuffer import pack, schema
from tflite_compress.timing.interleaved import Contender, start_contender

RUNS = 5000


def build_empty_model() -> bytes:
    """A ``.tflite`` whose output is its input: nothing to compute, so running it is nothing but the call."""
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
    """Milliseconds of one call: Python, its binding, the interpreter's own steps, and the clock.

    Args:
        runs: How often to call.
    """
    nothing = Contender("empty", build_empty_model(), (np.zeros((1, 1), np.float32),))
    with start_contender(nothing) as (child, _):
        child.run(runs)
        return float(np.median(child.run(runs)))
