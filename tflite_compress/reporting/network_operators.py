"""Read the operators of a file for the network graph."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.tflite.flatbuffer import operator_name, type_name, unpack
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.tflite.macs import find_stored, find_weights
from tflite_compress.tflite.operator_work import count_operator
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

NO_ERRORS: Mapping[tuple[str, str], float] = {}
NO_TIMES: Mapping[int, float] = {}


def read_operators(
    content: bytes,
    layers: LayerTable = NO_LAYERS,
    times: Mapping[int, float] = NO_TIMES,
    noise: Mapping[tuple[str, str], float] = NO_ERRORS,
) -> tuple[NetworkOperator, ...]:
    """Read the operators of a file's main graph, in order of execution.

    Args:
        content: A ``.tflite``.
        layers: The layers of the Keras model, for their names.
        times: Median time in ms by index of the operator.
        noise: Noise that quantization adds, by layer and operator, relative to the output.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    stored = find_stored(model, graph)
    makers = {int(t): i for i, op in enumerate(graph.operators or []) for t in op.outputs}
    found = []
    for index, op in enumerate(graph.operators or []):
        kind, layer = operator_name(model, op), layers.layer_of(model, graph, op)
        output = graph.tensors[op.outputs[0]] if len(op.outputs) else None
        size, weight_type = _weights(kind, op, graph, model, stored)
        found.append(
            NetworkOperator(
                operator=kind,
                layer=layer or None,
                type=None if output is None else type_name(output.type),
                weight_type=weight_type,
                shape=() if output is None else tuple(shape_of(output)),
                bytes=size,
                macs=count_operator(kind, op, graph),
                ms=times.get(index),
                added_noise=_finite(noise.get((layer, kind))),
                inputs=tuple(sorted({makers[int(t)] for t in op.inputs if int(t) in makers})),
            )
        )
    return tuple(found)


def _weights(
    kind: str, op: Operator, graph: Graph, model: ModelTree, stored: dict[int, int]
) -> tuple[int, str | None]:
    """Return the bytes of an operator's weights in the file, and their type."""
    tensors = [tensor for _, tensor, _ in find_weights(kind, op, graph, model, stored)]
    data = [model.buffers[tensor.buffer].data for tensor in tensors]
    return sum(0 if d is None else len(d) for d in data), type_name(tensors[0].type) if tensors else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
