from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.errors import ConversionError
from tflite_compress.runtimes.litert import LiteRTModel, dequantized, quantized


def test_quantizing_rounds_and_saturates() -> None:
    detail = {"dtype": np.int8, "quantization": (0.5, -3)}
    x = np.array([0.0, 0.26, 100.0, -100.0], np.float32)
    q = quantized(x, detail)
    assert q.tolist() == [-3, -2, 127, -128] and q.dtype == np.int8
    assert dequantized(q, detail).tolist() == [0.0, 0.5, 65.0, -62.5]


def test_tensors_without_a_scale_pass_through() -> None:
    detail = {"dtype": np.int32, "quantization": (0.0, 0)}
    x = np.array([1, 2], np.int64)
    assert quantized(x, detail).dtype == np.int32
    assert dequantized(x, detail) is x


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConversionError, match="LiteRT refuses"):
        LiteRTModel(b"\x1c\0\0\0TFL3" + b"\0" * 64, ("x",), ("y",))
