"""Bytes are quantized directly, with the results of CAST and QUANTIZE."""

from __future__ import annotations

import numpy as np

from tests.runtimes.refused import single
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.tflite.byte_inputs import without_casts_of_bytes
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, schema, unpack


def cast_and_quantize(scale: float, zero_point: int) -> bytes:
    tree = unpack(single("LOGISTIC", {"x": ((1, 4), "UINT8")}, ((1, 4), "INT8")))
    editor = GraphEditor(tree)
    editor.tensor(0).quantization = None
    editor.quantize(1, scale, zero_point)
    real = editor.add_tensor("real", (1, 4), schema().TensorType.FLOAT32)
    editor.graph.operators = [
        editor.operator("CAST", [0], [real], editor.options("CastOptions")),
        editor.operator("QUANTIZE", [real], [1], editor.options("QuantizeOptions"), 3),
    ]
    return pack(tree)


def test_bytes_become_int8_without_floats() -> None:
    before = cast_and_quantize(1.0, -128)
    after = without_casts_of_bytes(before)
    assert operator_names(before) == ["CAST", "QUANTIZE"] and operator_names(after) == ["QUANTIZE"]
    results = []
    for content in (before, after):
        model = LiteRTModel(content, ("x",), ("layer/out",))
        model.set_inputs((np.array([[0, 1, 128, 255]], np.uint8),))
        model.invoke()
        results.append(model.outputs()[0])
    np.testing.assert_array_equal(results[0], [[0, 1, 128, 255]])
    np.testing.assert_array_equal(results[1], results[0])
    assert without_casts_of_bytes(after) is after
