from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.conftest import DATA
from tests.narrow import present
from tflite_compress.runtimes.litert import (
    LiteRTModel,
    TensorDetails,
    dequantize_array,
    predict,
    quantize_array,
)
from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite.tensor_specs import read_signature


def test_quantizing_rounds_and_saturates() -> None:
    detail = TensorDetails(dtype=np.int8, quantization=(0.5, -3))
    x = np.array([0.0, 0.26, 100.0, -100.0], np.float32)
    q = quantize_array(x, detail)
    assert q.tolist() == [-3, -2, 127, -128] and q.dtype == np.int8
    assert dequantize_array(q, detail).tolist() == [0.0, 0.5, 65.0, -62.5]


def test_tensors_without_a_scale_pass_through() -> None:
    detail = TensorDetails(dtype=np.int32, quantization=(0.0, 0))
    x = np.array([1, 2], np.int64)
    assert quantize_array(x, detail).dtype == np.int32
    assert dequantize_array(x, detail) is x


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConversionError, match="LiteRT refuses"):
        LiteRTModel(b"\x1c\0\0\0TFL3" + b"\0" * 64, ("x",), ("y",))


def test_a_scale_of_0_is_refused_before_litert_aborts() -> None:
    """The converter writes such a file for attention with int16 activations."""
    content = (DATA / "zero_scale.tflite").read_bytes()
    x = np.zeros((1, 10, 16), np.float32)
    signature = read_signature(content)
    inputs, outputs = (tuple(spec.name for spec in side) for side in (signature.inputs, signature.outputs))
    with pytest.raises(ConversionError, match=r"SUB, .*: its input has a scale of 0;") as caught:
        predict(content, (x,), inputs, outputs)
    assert "Compress the Keras model again" in present(caught.value.hint)


def test_the_result_does_not_depend_on_the_number_of_workers(keras: ModuleType) -> None:
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.load import load_model

    inputs = keras.Input((5,), name="x")
    network = load_model(keras.Model(inputs, keras.layers.Dense(3, name="y")(inputs))).network
    x = np.random.default_rng(0).standard_normal((37, 5)).astype(np.float32)
    content, _ = convert_network(network, ConverterSettings(precision="float32"), (x,), lambda n: None)
    results = [predict(content, (x,), ("x",), ("y",), workers=n)[0] for n in (1, 3, 100, None)]
    assert all(np.array_equal(results[0], other) for other in results[1:])
    assert np.allclose(results[0], network.predict((x,))[0], atol=1e-6)
