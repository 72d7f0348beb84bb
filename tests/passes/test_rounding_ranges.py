from __future__ import annotations

from types import ModuleType

import numpy as np

from tflite_compress.models.copying import copied
from tflite_compress.passes.algorithms.rounding_ranges import set_ranges
from tflite_compress.passes.algorithms.simulated_rounding import with_simulated_rounding


def test_ranges_are_those_of_the_samples(keras2: ModuleType) -> None:
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    inputs = keras2.Input((5,))
    x = layers.Dense(8, activation="relu", name="first")(inputs)
    x = layers.Dropout(0.5)(x)
    plain = keras2.Model(inputs, layers.Dense(3, activation="softmax", name="second")(x))
    samples = np.random.default_rng(0).normal(0, 30, (64, 5)).astype(np.float32)
    model = with_simulated_rounding(copied(plain), frozenset({"first", "second"}), False, False)
    set_ranges(model, (samples,), 32)
    found = {w.name.split("/")[-1].split(":")[0]: w.numpy() for w in model.weights}
    lows = [half.min() for half in np.split(samples, 2)]
    (low,) = [value for name, value in found.items() if name.startswith("quantize_layer") and "_min" in name]
    assert np.isclose(low, np.mean(lows)) and found["post_activation_min"] == 0
    wanted, rounded = (np.asarray(network(samples)) for network in (plain, model))
    assert np.abs(wanted - rounded).max() < 0.05
