"""Squared differences of int16 become a subtraction and a product, which LiteRT has."""

from __future__ import annotations

import numpy as np

from tests.tflite.test_scale_limits import quantized
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.tflite.flatbuffer import operator_names
from tflite_compress.tflite.int16_squares import without_int16_squares


def test_squares_of_int16_are_those_of_the_real_values() -> None:
    content = without_int16_squares(quantized("SQUARED_DIFFERENCE", 2, (1e-3, 5e-4, 2e-3), "INT16"))
    assert sorted(operator_names(content)) == ["MUL", "SUB"]
    model = LiteRTModel(content, ("x", "y"), ("layer/out",))
    x, y = np.array([[5.0, -3.0, 0.25, 8.0]]), np.array([[1.0, 4.0, 0.25, 0.0]])
    model.set_inputs((x, y))
    model.invoke()
    np.testing.assert_allclose(model.outputs()[0], (x - y) ** 2, atol=4e-3)


def test_squares_of_int8_are_unchanged() -> None:
    content = quantized("SQUARED_DIFFERENCE", 2, (0.1, 0.1, 0.1))
    assert without_int16_squares(content) is content
