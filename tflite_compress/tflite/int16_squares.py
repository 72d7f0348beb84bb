"""Squared differences in int16, for which LiteRT has no kernel, as a subtraction and a product."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, type_name, unpack
from tflite_compress.tflite.tree import Operator, read_scales

_LARGEST = np.iinfo(np.int16).max
_VERSION = 2  # as the converter writes for SUB and MUL of integers


def without_int16_squares(content: bytes) -> bytes:
    """Return a file with SUB and MUL in place of each SQUARED_DIFFERENCE of int16.

    The range of the difference is the root of the range of its square, so no calibration is needed.

    Args:
        content: A quantized ``.tflite``.
    """
    if "SQUARED_DIFFERENCE" not in operator_names(content):
        return content
    tree = unpack(content)
    editor = GraphEditor(tree)
    placed = [each for op in editor.graph.operators for each in _replaced(editor, op)]
    if len(placed) == len(editor.graph.operators):
        return content
    editor.graph.operators = placed
    return pack(tree)


def _replaced(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return the operators in place of one."""
    if editor.kind(op) != "SQUARED_DIFFERENCE" or type_name(editor.tensor(int(op.inputs[0])).type) != "INT16":
        return [op]
    output = int(op.outputs[0])
    scales = read_scales(editor.tensor(output))
    if len(scales) != 1:
        return [op]
    difference = editor.add_like(output, "difference")
    editor.quantize(difference, float(scales[0] / _LARGEST) ** 0.5, 0)
    subtract = editor.options("SubOptions", potScaleInt16=False)
    return [
        editor.operator("SUB", [int(i) for i in op.inputs], [difference], subtract, _VERSION),
        editor.operator("MUL", [difference] * 2, [output], editor.options("MulOptions"), _VERSION),
    ]
