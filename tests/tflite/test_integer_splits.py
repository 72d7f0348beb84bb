"""Splitting integers in place of their real values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes.refused import single
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, schema, unpack
from tflite_compress.tflite.integer_splits import split_in_integers

SCALES = (0.05, 0.03, 0.07)  # of the input and of both outputs; no value is rounded at one half


def split_in_floats(kind: str) -> bytes:
    """DEQUANTIZE, a split of eight numbers in halves, and QUANTIZE of both halves to scales of their own."""
    tree = unpack(single("LOGISTIC", {"x": ((1, 8), "INT8")}, ((1, 4), "INT8")))
    editor, g = GraphEditor(tree), schema()
    whole = editor.add_tensor("whole", (1, 8), g.TensorType.FLOAT32)
    floats = [editor.add_tensor(f"half{i}", (1, 4), g.TensorType.FLOAT32) for i in range(2)]
    halves = [1, editor.add_like(1, "other")]
    for index, scale in zip((0, *halves), SCALES, strict=True):
        editor.tensor(index).quantization = g.QuantizationParametersT(scale=[scale], zeroPoint=[3])
    axis = editor.add_constant("axis", np.array(1, np.int32))
    if kind == "SPLIT":
        split = editor.operator(kind, [axis, whole], floats, editor.options("SplitOptions", numSplits=2))
    else:
        sizes = editor.add_constant("sizes", np.array([4, 4], np.int32))
        options = editor.options("SplitVOptions", numSplits=2)
        split = editor.operator(kind, [whole, sizes, axis], floats, options)
    editor.graph.operators = [
        editor.operator("DEQUANTIZE", [0], [whole], version=2),
        split,
        *(editor.operator("QUANTIZE", [f], [h]) for f, h in zip(floats, halves, strict=True)),
    ]
    editor.graph.outputs = halves
    tree.signatureDefs = None
    editor.drop_unused()
    return pack(tree)


@pytest.mark.parametrize("kind", ["SPLIT", "SPLIT_V"])
@pytest.mark.parametrize("runtime", ["litert-reference", "tflm"])
def test_integers_are_split_with_the_same_result(kind: str, runtime: str) -> None:
    floats = split_in_floats(kind)
    integers = split_in_integers(floats)
    assert operator_names(integers) == [kind, "QUANTIZE", "QUANTIZE"]
    run = find_runtime(runtime, Remote())
    x = (np.arange(-128, 128, dtype=np.int16).astype(np.int8).reshape(32, 1, 8),)
    before, after = (run(content, x).outputs for content in (floats, integers))
    assert before is not None and after is not None and np.ptp(before[0].astype(int)) > 100
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_file_without_such_splits_is_unchanged() -> None:
    integers = split_in_integers(split_in_floats("SPLIT"))
    assert split_in_integers(integers) == integers
