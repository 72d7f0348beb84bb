"""Wrappers that TF-MOT left in a model are removed, from every format; ranges from its training are used."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tflite_compress as tc
from tests.needs import slow
from tflite_compress.models.load import load_model
from tflite_compress.support.backend import tfmot

X = np.random.default_rng(0).standard_normal((16, 8, 8, 1)).astype(np.float32)
FORMATS = ["h5", "keras", "folder"]
MORE_FORMATS = ["keras", slow("h5"), slow("folder")]


def network(keras2: ModuleType) -> Any:
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    inner = keras2.Sequential([keras2.Input((6, 6, 4)), layers.Conv2D(4, 3, name="deep")], name="inner")
    x = inputs = keras2.Input((8, 8, 1))
    x = inner(layers.Conv2D(4, 3, activation="relu", name="first")(x))
    return keras2.Model(inputs, layers.Dense(3, activation="softmax", name="last")(layers.Flatten()(x)))


def saved(model: Any, suffix: str, folder: Path) -> Path:
    path = folder / ("model" if suffix == "folder" else f"model.{suffix}")
    model.save(path, **({"save_format": "tf"} if suffix == "folder" else {}))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_pruning_wrappers_are_removed(keras2: ModuleType, suffix: str, tmp_path: Path) -> None:
    sparsity = tfmot().sparsity.keras
    wrapped = sparsity.prune_low_magnitude(
        network(keras2), pruning_schedule=sparsity.ConstantSparsity(0.5, 0)
    )
    source = load_model(saved(wrapped, suffix, tmp_path), trust=True)
    assert {type(layer).__name__ for layer in source.network.handle.layers} <= {
        *("InputLayer", "Conv2D", "Flatten", "Dense"),
    }
    assert np.allclose(source.network.predict((X,))[0], wrapped(X, training=False), atol=1e-6)
    assert [note.code for note in source.notes] == ["wrappers-removed"]


@pytest.mark.parametrize("suffix", MORE_FORMATS)
def test_clustering_wrappers_are_removed(keras2: ModuleType, suffix: str, tmp_path: Path) -> None:
    clustering = tfmot().clustering.keras
    wrapped = clustering.cluster_weights(
        network(keras2),
        number_of_clusters=4,
        cluster_centroids_init=clustering.CentroidInitialization.LINEAR,
    )
    source = load_model(saved(wrapped, suffix, tmp_path), trust=True)
    kernel = next(layer for layer in source.network.handle.layers if layer.name.endswith("last")).kernel
    assert len(np.unique(kernel.numpy())) <= 4
    assert np.allclose(source.network.predict((X,))[0], wrapped(X, training=False), atol=1e-5)


@pytest.mark.parametrize("suffix", MORE_FORMATS)
def test_quantization_aware_training(keras2: ModuleType, suffix: str, tmp_path: Path) -> None:
    layers = keras2.layers
    keras2.utils.set_random_seed(0)
    plain = keras2.Sequential(
        [
            keras2.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    wrapped = tfmot().quantization.keras.quantize_model(plain)
    wrapped.compile("sgd", "mse")
    wrapped.fit(X, np.eye(3)[np.arange(16) % 3], epochs=3, verbose=0)
    source = load_model(saved(wrapped, suffix, tmp_path), trust=True)
    rounded = wrapped(X, training=False)
    assert not any("uantize" in type(layer).__name__ for layer in source.network.handle.layers)
    assert np.allclose(source.network.predict((X,))[0], rounded, atol=0.02)
    assert np.allclose(source.network.with_rounding(X, training=False), rounded, atol=1e-5)
    assert [note.code for note in source.notes] == ["trained-ranges"]


@pytest.mark.slow
def test_trained_ranges_stay_where_open_dimensions_are_fixed(keras2: ModuleType, tmp_path: Path) -> None:
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    plain = keras2.Sequential(
        [
            keras2.Input((None, None, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    wrapped = tfmot().quantization.keras.quantize_model(plain)
    wrapped.compile("sgd", "mse")
    wrapped.fit(X, np.eye(3)[np.arange(16) % 3], epochs=3, verbose=0)
    file = saved(wrapped, "keras", tmp_path)
    far_too_small = X * 0.01  # ranges calibrated on these would clip every activation
    lite = tc.convert(file, tc.Int8(), calibration=far_too_small, input_shape=(8, 8, 1))
    expected = np.asarray(wrapped(X, training=False))
    assert lite.signature.inputs[0].shape[1:] == (8, 8, 1)
    assert np.abs(lite.predict(X) - expected).max() < 0.1 * np.ptp(expected)
