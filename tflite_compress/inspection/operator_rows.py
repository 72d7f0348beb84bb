"""Read the operators of a file: type, shape, weights, MACs, and what reads what."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.tflite.flatbuffer import operator_name, type_name
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.tflite.macs import find_stored, find_weights
from tflite_compress.tflite.operator_work import count_operator
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

UNPACKING = ("DEQUANTIZE", "DENSIFY", "TFLM_DECODE")  # what makes weights of stored constants


@dataclass(frozen=True)
class OperatorRow:
    """One operator.

    Attributes:
        index: Index in the order of execution, over all subgraphs.
        graph: Index of its subgraph.
        name: Its name in ``schema.fbs``.
        layer: The layer it came from, if the tensor names tell; else an empty string.
        type: Type of its first output; an empty string if it has none.
        shape: Shape of its first output.
        macs: Multiply-accumulates (MACs); None if they cannot be counted.
        inputs: Indices of the activations it reads.
        outputs: Indices of the tensors it writes.
        output_shapes: Shapes of all its outputs.
        weight_bytes: Bytes of its weights in the file.
        weight_type: Type of its weights in the file; None if it has none.
        is_unpacking: True if it only unpacks a constant, such as DEQUANTIZE of float16 weights.
    """

    index: int
    graph: int
    name: str
    layer: str
    type: str
    shape: tuple[int, ...]
    macs: int | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    weight_bytes: int
    weight_type: str | None
    is_unpacking: bool


def read_operator_rows(model: ModelTree, layers: LayerTable = NO_LAYERS) -> tuple[OperatorRow, ...]:
    """Read the operators of all subgraphs, in order of execution.

    Args:
        model: The decoded file.
        layers: The layers of the Keras model, for their names.
    """
    rows: list[OperatorRow] = []
    for number, graph in enumerate(model.subgraphs):
        stored = find_stored(model, graph, UNPACKING)
        made = {int(i) for i in graph.inputs}
        made |= {int(i) for op in graph.operators or [] for i in op.outputs}
        for op in graph.operators or []:
            name = operator_name(model, op)
            shapes = tuple(tuple(shape_of(graph.tensors[i])) for i in op.outputs)
            size, weight_type = _weights(name, op, graph, model, stored)
            rows.append(
                OperatorRow(
                    index=len(rows),
                    graph=number,
                    name=name,
                    layer=layers.layer_of(model, graph, op),
                    type=type_name(graph.tensors[op.outputs[0]].type) if shapes else "",
                    shape=shapes[0] if shapes else (),
                    macs=count_operator(name, op, graph),
                    inputs=tuple(int(i) for i in op.inputs if i in made),
                    outputs=tuple(int(i) for i in op.outputs),
                    output_shapes=shapes,
                    weight_bytes=size,
                    weight_type=weight_type,
                    is_unpacking=name in UNPACKING and bool(shapes) and int(op.outputs[0]) in stored,
                )
            )
    return tuple(rows)


def _weights(
    name: str, op: Operator, graph: Graph, model: ModelTree, stored: dict[int, int]
) -> tuple[int, str | None]:
    """Return the bytes of an operator's weights in the file, and their type."""
    tensors = [tensor for _, tensor, _ in find_weights(name, op, graph, model, stored)]
    data = [model.buffers[tensor.buffer].data for tensor in tensors]
    return sum(0 if d is None else len(d) for d in data), type_name(tensors[0].type) if tensors else None
