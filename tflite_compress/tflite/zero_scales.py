"""Scales of constants that are all zero, for which the converter writes 0."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, unpack
from tflite_compress.tflite.scale_limits import RATIOS
from tflite_compress.tflite.tree import Operator, read_scales, set_scales


def with_scales_of_zeros(content: bytes) -> bytes:
    """Return a file whose constants of zeros have a scale, where operators divide by it.

    LiteRT refuses ADD, SUB and SQUARED_DIFFERENCE with a scale of 0. Zeros are exact at every scale. The
    constant gets the smallest scale of what it is added to, which changes no rounding.

    Args:
        content: A quantized ``.tflite``.
    """
    if not set(RATIOS) & set(operator_names(content)):
        return content
    tree = unpack(content)
    editor = GraphEditor(tree)
    found: dict[int, list[float]] = {}
    for op in editor.graph.operators:
        if editor.kind(op) in RATIOS:
            for index in map(int, op.inputs[:2]):
                if _is_unscaled_zero(editor, index):
                    found.setdefault(index, []).extend(_other_scales(editor, op))
    if not any(found.values()):
        return content
    for index, scales in found.items():
        if scales:
            set_scales(editor.tensor(index), np.array([min(scales)], np.float32))
    return pack(tree)


def _is_unscaled_zero(editor: GraphEditor, index: int) -> bool:
    """Return True for a constant of zeros with a scale of 0."""
    scales = read_scales(editor.tensor(index))
    if not editor.is_constant(index) or not len(scales) or (scales > 0).all():
        return False
    return not np.any(editor.tree.buffers[editor.tensor(index).buffer].data)


def _other_scales(editor: GraphEditor, op: Operator) -> list[float]:
    """Return the scales of an operator's inputs and output that are above 0."""
    tensors = [editor.tensor(int(i)) for i in (*op.inputs[:2], op.outputs[0])]
    return [float(s) for tensor in tensors for s in read_scales(tensor) if s > 0]
