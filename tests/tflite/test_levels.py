from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.test_convert import random_context
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.runtimes.litert import predict
from tflite_compress.runtimes.tflm import predict_raw
from tflite_compress.scoring.reference import distance
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.levels import SharedKernel, share_levels
from tflite_compress.tflite.macs import constant


@pytest.fixture(scope="module")
def clustered(keras2: ModuleType) -> Any:
    """A network with 8 values in each layer, and BatchNorm that scales and flips channels."""
    keras2.utils.set_random_seed(5)
    layers = keras2.layers
    inputs = keras2.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, use_bias=False, name="one")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(24, 1, activation="relu", name="two")(x)
    model = keras2.Model(inputs, layers.Dense(5, name="three")(layers.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(0)
    values = np.asarray([-0.3, -0.2, -0.1, -0.03, 0.02, 0.1, 0.2, 0.35])
    for name in ("one", "two", "three"):
        kernel = model.get_layer(name).kernel
        kernel.assign(rng.choice(values, kernel.shape, p=[0.05, 0.1, 0.2, 0.15, 0.15, 0.2, 0.1, 0.05]))
    gamma = rng.uniform(0.2, 3, 16) * rng.choice([-1, 1], 16)
    model.get_layer("norm").set_weights(
        [gamma, rng.normal(size=16), rng.normal(size=16), rng.uniform(0.5, 2, 16)]
    )
    return model


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_channels_share_their_levels_and_the_outputs_stay(clustered: Any, precision: Any) -> None:
    context, start = random_context(clustered)
    samples = context.reference.splits.calibrate.inputs
    before, _ = convert_network(
        start.network, ConverterSettings(precision=precision), samples, lambda n: None
    )
    handle = start.network.handle
    kernels = [
        SharedKernel(k, np.asarray(np.abs(k).max() / 127))
        for k in (handle.get_layer(name).kernel.numpy() for name in ("one", "two", "three"))
    ]
    after = share_levels(before, kernels)
    assert min(distinct(before)) > 12
    assert (
        sorted(distinct(after))[:2] == [8, 8] and max(distinct(after)) <= 16
    )  # BatchNorm's sign mirrors some
    inputs = context.reference.splits.evaluate.inputs
    outputs = [predict(c, inputs, *start.network.tensor_names) for c in (before, after)]
    quality = [distance(context.reference.evaluation_outputs, o)["snr_db"] for o in outputs]
    assert quality[1] > quality[0] - 3 and quality[1] > 20
    micro = np.stack(
        [row[0] for row in predict_raw(after, tuple(x[:20] for x in inputs), start.network.tensor_names)]
    )
    assert np.allclose(micro[:, 0], outputs[1][0][:20], atol=0.02 * np.abs(outputs[1][0]).max())


def test_unknown_kernels_change_nothing(clustered: Any) -> None:
    context, start = random_context(clustered)
    samples = context.reference.splits.calibrate.inputs
    content, _ = convert_network(start.network, ConverterSettings(precision="int8"), samples, lambda n: None)
    strangers = [
        SharedKernel(k, np.asarray(1.0))
        for k in (np.random.default_rng(1).normal(size=(3, 3, 3, 16)), np.ones((7, 7)), np.ones((2, 2, 2)))
    ]
    assert share_levels(content, strangers) == content


def distinct(content: bytes) -> list[int]:
    """Distinct integers in each weight matrix."""
    model = unpack(content)
    weights = [constant(t, model) for t in model.subgraphs[0].tensors]
    return [len(np.unique(w)) for w in weights if w is not None and w.dtype == np.int8 and w.ndim > 1]
