"""Squared differences in int16, for which LiteRT has no kernel, as a subtraction and a product."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor, replace_operators
from tflite_compress.tflite.flatbuffer import type_name
from tflite_compress.tflite.tree import Operator, read_scales

_LARGEST = np.iinfo(np.int16).max
_VERSION = 2  # as the converter writes for SUB and MUL of integers


def without_int16_squares(content: bytes) -> bytes:
    """Return a file with SUB and MUL in place of each SQUARED_DIFFERENCE of int16.

    The range of the difference is the root of the range of its square, so no calibration is needed.

    Args:
        content: A quantized ``.tflite``.
    """
    return replace_operators(content, ("SQUARED_DIFFERENCE",), _replaced)


def _replaced(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return the operators in place of one."""
    if type_name(editor.tensor(int(op.inputs[0])).type) != "INT16":
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
