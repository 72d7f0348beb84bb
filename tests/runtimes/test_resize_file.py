"""Files with open dimensions, given sizes."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.litert import predict
from tflite_compress.runtimes.resize_file import resize_file, suggest_working_shapes
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.tensor_specs import read_signature


@pytest.fixture(scope="module")
def open_file(keras2: ModuleType) -> bytes:
    """A network on images of any size that are at least 20 pixels high and wide."""
    from tflite_compress.support.backend import tensorflow

    keras2.utils.set_random_seed(0)
    layers = [
        keras2.layers.Input((None, None, 3), name="image"),
        keras2.layers.Conv2D(4, 20, padding="valid", activation="relu"),
        keras2.layers.MaxPooling2D(),
        keras2.layers.Conv2D(1, 1),
    ]
    converter = tensorflow().lite.TFLiteConverter.from_keras_model(keras2.Sequential(layers))
    return bytes(converter.convert())


def test_resized_file_has_fixed_shapes_and_equal_outputs(open_file: bytes) -> None:
    x = np.random.default_rng(0).normal(size=(2, 32, 24, 3)).astype(np.float32)
    fixed = resize_file(open_file, {"image": (32, 24, 3)})
    signature = read_signature(fixed)
    assert signature.inputs[0].shape == (1, 32, 24, 3) and signature.outputs[0].shape == (1, 6, 2, 1)
    names = (signature.inputs[0].name,), (signature.outputs[0].name,)
    expected = predict(open_file, (x,), *names)[0]
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(predict(fixed, (x,), *names)[0], expected, atol=1e-6)
    micro = present(find_runtime("tflm", Remote())(fixed, (x[:, np.newaxis],)).outputs)
    np.testing.assert_allclose(micro[0].reshape(expected.shape), expected, atol=1e-5)


def test_sizes_too_small_are_refused_by_name(open_file: bytes) -> None:
    with pytest.raises(ModelError, match="'image' 8 x 8 x 3"):
        resize_file(open_file, {"image": (8, 8, 3)})


def test_suggested_sizes_run(open_file: bytes) -> None:
    assert suggest_working_shapes(open_file) == "64x64x3"
