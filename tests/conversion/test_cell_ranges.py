"""Cell states of int8 LSTM layers fit in all steps, not in the last one only."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.load import load_model
from tflite_compress.runtimes.litert import predict


@pytest.mark.slow
def test_sequences_that_end_in_zeros_keep_their_outputs_in_int8(keras: ModuleType) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 3))
    x = keras.layers.LSTM(4, return_sequences=True)(inputs)
    network = load_model(keras.Model(inputs, keras.layers.LSTM(5)(x))).network
    samples = np.random.default_rng(0).normal(size=(40, 6, 3)).astype(np.float32)
    samples[:, 4:] = 0
    content, _ = convert_network(network, ConverterSettings("int8"), (samples,), lambda n: None)
    (found,), (expected,) = (
        predict(content, (samples,), *network.tensor_names),
        network.predict((samples,)),
    )
    np.testing.assert_allclose(found, expected, atol=0.02)
