"""Calibration of networks with LSTM starts every sample from a fresh state."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.load import load_model
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.tree import read_scales


@pytest.mark.slow
def test_the_order_of_samples_does_not_matter(keras: ModuleType) -> None:
    """Kept between samples, the state of one sample widens the ranges of the next."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 3), name="x")
    network = load_model(keras.Model(inputs, keras.layers.LSTM(5, name="y")(inputs))).network
    samples = np.random.default_rng(0).normal(size=(8, 4, 3)).astype(np.float32)
    settings = ConverterSettings(precision="int8")
    files = [convert_network(network, settings, (x,), lambda n: None)[0] for x in (samples, samples[::-1])]
    scales = [[read_scales(t).tolist() for t in unpack(file).subgraphs[0].tensors] for file in files]
    assert scales[0] == scales[1] and any(scales[0])
