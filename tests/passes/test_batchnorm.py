from __future__ import annotations

from types import ModuleType

import numpy as np

from tflite_compress.passes.algorithms.batchnorm import reestimate_batchnorm


def test_statistics_become_those_of_the_data(keras2: ModuleType) -> None:
    layers = keras2.layers
    model = keras2.Sequential([keras2.Input((3,)), layers.Dropout(0.5), layers.BatchNormalization()])
    x = np.random.default_rng(0).normal([1, -2, 5], [1, 2, 0.5], (2048, 3)).astype(np.float32)
    assert reestimate_batchnorm(model, (x,), seed=0)
    mean, variance = model.layers[1].moving_mean.numpy(), model.layers[1].moving_variance.numpy()
    assert np.allclose(mean, x.mean(axis=0), atol=0.02)
    assert np.allclose(variance, x.var(axis=0), rtol=0.05)
    assert model.layers[0].rate == 0.5 and model.layers[1].momentum == 0.99


def test_models_without_batchnorm_are_left_alone(keras2: ModuleType) -> None:
    model = keras2.Sequential([keras2.Input((3,)), keras2.layers.Dense(2)])
    assert not reestimate_batchnorm(model, (np.ones((4, 3), np.float32),), seed=0)
