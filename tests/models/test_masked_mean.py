"""Averages over masked sequences, one of which is all padding."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.test_masked_recurrence import embedded, tokens  # noqa: F401
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.load import load_model
from tflite_compress.models.masked_mean import with_defined_means
from tflite_compress.runtimes.litert import predict

ALL_PADDING = 13  # the sequence of the fixture
CASES: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "plain": lambda k: lambda h: k.GlobalAveragePooling1D()(h),
    "kept": lambda k: lambda h: k.GlobalAveragePooling1D(keepdims=True)(h),
    "recurrent": lambda k: lambda h: k.GlobalAveragePooling1D()(k.GRU(4, return_sequences=True)(h)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "recurrent" else ()) for name in CASES]
)
def test_averages_are_those_of_keras_and_0_for_padding(
    keras: ModuleType,
    tokens: np.ndarray,  # noqa: F811
    name: str,
) -> None:
    network = embedded(keras, CASES[name](keras.layers))
    expected = network.predict((tokens,))[0]
    assert np.isnan(expected[ALL_PADDING]).all()
    found = with_defined_means(network).predict((tokens,))[0]
    np.testing.assert_allclose(found, np.nan_to_num(expected), atol=1e-6)


def test_an_unmasked_average_is_unchanged(keras: ModuleType) -> None:
    read = keras.Input((6, 2))
    network = load_model(keras.Model(read, keras.layers.GlobalAveragePooling1D()(read))).network
    assert with_defined_means(network) is network


def test_an_int8_file_averages_padding_to_0(keras: ModuleType, tokens: np.ndarray) -> None:  # noqa: F811
    network = embedded(keras, CASES["plain"](keras.layers))
    content, _ = convert_network(network, ConverterSettings("int8"), (tokens,), lambda n: None)
    expected = np.nan_to_num(network.predict((tokens,))[0])
    found = predict(content, (tokens,), *network.tensor_names, workers=1)[0]
    assert np.abs(found[ALL_PADDING]).max() == 0
    np.testing.assert_allclose(found, expected, atol=0.02 * np.ptp(expected))
