"""Split integers where the converter splits floats between DEQUANTIZE and QUANTIZE."""

from __future__ import annotations

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, type_name, unpack
from tflite_compress.tflite.tree import Operator

_VALUE = {"SPLIT": 1, "SPLIT_V": 0}  # place of the tensor to split among an operator's inputs


def split_in_integers(content: bytes) -> bytes:
    """Return a file that splits integers, in place of their real values.

    The converter leaves some SPLIT and SPLIT_V operators of recurrent cells in float32, other ones in each
    run. Splitting moves values, so the outputs are the same but for the rounding of QUANTIZE.

    Args:
        content: A quantized ``.tflite``.
    """
    if not _VALUE.keys() & set(operator_names(content)):
        return content
    tree = unpack(content)
    editor = GraphEditor(tree)
    graph = editor.graph
    unpacked = {int(op.outputs[0]): op for op in graph.operators if editor.kind(op) == "DEQUANTIZE"}
    floats = [op for op in graph.operators if _is_float(editor, op, unpacked)]
    found = {id(op): unpacked[_value(editor, op)] for op in floats}
    if not found:
        return content
    split = {int(i) for op in graph.operators if id(op) in found for i in op.outputs}
    graph.operators = [_in_integers(editor, op, found.get(id(op)), split) for op in graph.operators]
    read = {int(i) for op in graph.operators for i in op.inputs} | {int(i) for i in graph.outputs}
    graph.operators = [
        op for op in graph.operators if editor.kind(op) != "DEQUANTIZE" or int(op.outputs[0]) in read
    ]
    editor.drop_unused()
    return pack(tree)


def _value(editor: GraphEditor, op: Operator) -> int:
    return int(op.inputs[_VALUE[editor.kind(op)]])


def _is_float(editor: GraphEditor, op: Operator, unpacked: dict[int, Operator]) -> bool:
    """Return True for an operator that splits the real values of integers, which are quantized again."""
    if editor.kind(op) not in _VALUE or _value(editor, op) not in unpacked:
        return False
    source = int(unpacked[_value(editor, op)].inputs[0])
    outputs = {int(i) for i in op.outputs}
    readers = [r for r in editor.graph.operators if outputs & {int(i) for i in r.inputs}]
    return (
        type_name(editor.tensor(source).type) in ("INT8", "INT16")
        and not editor.is_constant(source)
        and not outputs & {int(i) for i in editor.graph.outputs}
        and all(editor.kind(reader) == "QUANTIZE" for reader in readers)
    )


def _in_integers(editor: GraphEditor, op: Operator, source: Operator | None, split: set[int]) -> Operator:
    """Return an operator, or in its place one that splits, or quantizes again, integers."""
    kind = editor.kind(op)
    if source is not None:
        index = int(source.inputs[0])
        for output in map(int, op.outputs):
            editor.tensor(output).type = editor.tensor(index).type
            editor.tensor(output).quantization = editor.tensor(index).quantization
        inputs = [int(i) for i in op.inputs]
        inputs[_VALUE[kind]] = index
        return editor.operator(kind, inputs, [int(i) for i in op.outputs], op.builtinOptions, version=2)
    if kind == "QUANTIZE" and int(op.inputs[0]) in split:
        return editor.operator(kind, [int(op.inputs[0])], [int(op.outputs[0])], op.builtinOptions, version=2)
    return op
