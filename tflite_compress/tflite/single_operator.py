"""Cut one operator out of a file, as a file of its own."""

from __future__ import annotations

from collections.abc import Hashable

from tflite_compress.tflite.flatbuffer import operator_name, pack, schema
from tflite_compress.tflite.part_copy import copy_operator, copy_tensors
from tflite_compress.tflite.partition import is_stored
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of


def cut_operator(tree: ModelTree, graph: Graph, op: Operator) -> bytes:
    """Return a file with one operator: its constants are kept, and its other inputs are the file's inputs.

    Args:
        tree: The decoded file.
        graph: The operator's graph.
        op: An operator without subgraphs of its own.
    """
    g = schema()
    used = list(dict.fromkeys(int(i) for i in (*op.inputs, *op.outputs) if i >= 0))
    place = {index: number for number, index in enumerate(used)}
    single, model, code = g.SubGraphT(), g.ModelT(), tree.operatorCodes[op.opcodeIndex]
    single.tensors, model.buffers = copy_tensors(tree, graph, used)
    cut = copy_operator(op, place)
    cut.opcodeIndex = 0
    single.operators, single.outputs = [cut], cut.outputs
    given = [i for i in dict.fromkeys(map(int, op.inputs)) if i >= 0 and not is_stored(tree, graph, i)]
    single.inputs = [place[i] for i in given]
    model.version, model.operatorCodes, model.subgraphs = tree.version, [code], [single]
    return pack(model)


def operator_form(tree: ModelTree, graph: Graph, op: Operator) -> Hashable:
    """Return what a delegate decides by: name, options, and the tensors' types, shapes and constancy."""
    tensors = [
        (graph.tensors[i].type, shape_of(graph.tensors[i]), is_stored(tree, graph, i)) if i >= 0 else None
        for i in (*map(int, op.inputs), *map(int, op.outputs))
    ]
    options = sorted((k, str(v)) for k, v in vars(op.builtinOptions).items()) if op.builtinOptions else []
    return operator_name(tree, op), tuple(options), tuple(tensors)
