from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.test_bridge import difference, shake_weights
from tests.models.zoo import NAMES, models
from tests.narrow import of_type
from tflite_compress.models.bridge import to_tf_keras
from tflite_compress.models.bridge_back import to_keras3
from tflite_compress.support.errors import ModelError


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_model_returns_equal(keras: ModuleType, name: str) -> None:
    model = models(keras)[name]()
    shake_weights(model)
    bridged = to_tf_keras(model, verify=False)
    rebuilt = to_keras3(bridged, model)
    assert isinstance(rebuilt, keras.Model)
    assert rebuilt.name == model.name
    assert difference(rebuilt, bridged, seed=7) <= 1e-5
    assert [tuple(w.shape) for w in rebuilt.trainable_weights] == [
        tuple(w.shape) for w in model.trainable_weights
    ]


def test_the_copy_trains_saves_and_leaves_the_original(keras: ModuleType, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, kernel_regularizer="l2", activation="relu"),
            layers.BatchNormalization(),
            layers.GroupNormalization(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    before = [w.copy() for w in model.get_weights()]
    copy = of_type(keras.Model, to_keras3(to_tf_keras(model), model))
    assert copy.layers[1].kernel_regularizer is not None
    copy.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).standard_normal((16, 8, 8, 1)), np.arange(16) % 3
    copy.fit(x, y, epochs=1, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not np.array_equal(copy.get_weights()[0], before[0])
    copy.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert np.allclose(loaded.predict(x, verbose=0), copy.predict(x, verbose=0), atol=1e-6)


def test_a_layer_without_equivalent_is_named(keras2: ModuleType) -> None:
    class Own(keras2.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x * 2

    a = keras2.Input((4,))
    with pytest.raises(ModelError, match="layer 'mine' \\(Own\\) cannot be rebuilt in Keras 3"):
        to_keras3(keras2.Model(a, Own(name="mine")(a)))


def test_without_the_original_settings_come_from_the_network(keras: ModuleType, keras2: ModuleType) -> None:
    layers, a = keras2.layers, keras2.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="swish", padding="same")(a)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    network = keras2.Model(a, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    shake_weights(network)
    rebuilt = to_keras3(network)
    assert isinstance(rebuilt, keras.Model) and difference(rebuilt, network, seed=3) <= 1e-5
