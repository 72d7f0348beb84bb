"""Comparisons of which the converter quantizes one side only, computed in float32."""

from __future__ import annotations

from tflite_compress.tflite.edit_graph import GraphEditor, replace_operators
from tflite_compress.tflite.flatbuffer import schema, type_name
from tflite_compress.tflite.scale_limits import COMPARISONS
from tflite_compress.tflite.tree import Operator


def with_equal_types(content: bytes) -> bytes:
    """Return a file whose comparisons have inputs of one type.

    In int16x8, the converter quantizes one input of a comparison with a constant and leaves the constant in
    float32, which no runtime takes. The other input is read in float32 too.

    Args:
        content: A quantized ``.tflite``.
    """
    return replace_operators(content, COMPARISONS, _with_floats)


def _with_floats(editor: GraphEditor, op: Operator) -> list[Operator]:
    """Return an operator, after one that dequantizes an input where only the other one is float32."""
    if len({editor.is_float(int(i)) for i in op.inputs}) == 1:
        return [op]
    inputs, before = [int(i) for i in op.inputs], []
    for place, index in enumerate(inputs):
        if type_name(editor.tensor(index).type) in ("INT8", "INT16"):
            inputs[place] = editor.add_like(index, "float")
            editor.tensor(inputs[place]).type = schema().TensorType.FLOAT32
            before.append(editor.operator("DEQUANTIZE", [index], [inputs[place]], version=3))
    op.inputs = inputs
    return [*before, op]
