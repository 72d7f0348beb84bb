"""Quantize bytes without a detour through float32, whose CAST TFLite Micro lacks."""

from __future__ import annotations

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import pack, type_name, unpack
from tflite_compress.tflite.tree import Operator, read_scales


def without_casts_of_bytes(content: bytes) -> bytes:
    """Return a file with QUANTIZE from uint8 to int8 in place of CAST to float32 and QUANTIZE.

    Bytes get a scale of 1 and a zero point of 0, so their real values stay.

    Args:
        content: A quantized ``.tflite``.
    """
    tree = unpack(content)
    editor = GraphEditor(tree)
    operators = editor.graph.operators
    casts = [op for op in operators if editor.kind(op) == "CAST" and _is_detour(editor, op)]
    if not casts:
        return content
    sources = {int(op.outputs[0]): int(op.inputs[0]) for op in casts}
    for source in sources.values():
        editor.quantize(source, 1.0, 0)
    editor.graph.operators = [
        editor.operator("QUANTIZE", [sources[i]], [int(op.outputs[0])], op.builtinOptions, version=2)
        if len(op.inputs) and (i := int(op.inputs[0])) in sources
        else op
        for op in operators
        if op not in casts
    ]
    editor.drop_unused()
    return pack(tree)


def _is_detour(editor: GraphEditor, cast: Operator) -> bool:
    """Return True if only CAST reads the bytes, and only QUANTIZE to int8 reads its result."""
    source, result = int(cast.inputs[0]), int(cast.outputs[0])
    if type_name(editor.tensor(source).type) != "UINT8" or not editor.is_float(result):
        return False
    if len(read_scales(editor.tensor(source))) or editor.is_constant(source):
        return False
    graph = editor.graph
    if {source, result} & {int(i) for i in graph.outputs}:
        return False
    readers = [op for op in graph.operators if result in map(int, op.inputs)]
    return sum(source in map(int, op.inputs) for op in graph.operators) == 1 and all(
        editor.kind(op) == "QUANTIZE" and type_name(editor.tensor(int(op.outputs[0])).type) == "INT8"
        for op in readers
    )
