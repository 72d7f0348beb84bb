"""Networks with open dimensions, and copies of them with fixed sizes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tflite_compress.models.fixed_shapes import open_inputs, with_shapes
from tflite_compress.models.load import load_model
from tflite_compress.support.errors import ModelError


def image_model(keras: ModuleType) -> Any:
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    conv = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    half = keras.layers.Conv2D(4, 3, padding="same", strides=2)(conv)
    back = keras.layers.Conv2DTranspose(4, 2, strides=2)(half)
    return keras.Model(image, keras.layers.Add()([conv, back]))


@pytest.mark.parametrize("library", ["keras", "keras2"])
def test_fixed_network_computes_the_same(request: pytest.FixtureRequest, library: str) -> None:
    network = load_model(image_model(request.getfixturevalue(library))).network
    fixed = with_shapes(network, {"image": (8, 10, 3)})
    assert [spec.name for spec in open_inputs(network)] == ["image"] and not open_inputs(fixed)
    assert fixed.inputs[0].shape == (None, 8, 10, 3) and fixed.outputs[0].shape == (None, 8, 10, 4)
    assert all(layer.input_shape is not None for layer in fixed.handle.layers)
    x = np.random.default_rng(0).normal(size=(3, 8, 10, 3)).astype(np.float32)
    np.testing.assert_allclose(fixed.predict((x,))[0], network.predict((x,))[0], atol=1e-6)


@pytest.mark.slow
def test_recurrent_layers_get_their_steps(keras2: ModuleType) -> None:
    tokens = keras2.Input((None,), dtype="int32", name="tokens")
    embedded = keras2.layers.Embedding(20, 4, mask_zero=True)(tokens)
    network = load_model(keras2.Model(tokens, keras2.layers.LSTM(3)(embedded))).network
    fixed = with_shapes(network, {"tokens": (7,)})
    assert [layer.input_shape[1] for layer in fixed.handle.layers if layer.weights] == [7, 7]
    x = np.random.default_rng(0).integers(0, 20, (3, 7)).astype(np.int32)
    np.testing.assert_allclose(fixed.predict((x,))[0], network.predict((x,))[0], atol=1e-6)


def test_sizes_the_model_cannot_compute_name_them(keras: ModuleType) -> None:
    network = load_model(image_model(keras)).network
    with pytest.raises(ModelError, match="inputs of these sizes: 'image' 9 x 9 x 3"):
        with_shapes(network, {"image": (9, 9, 3)})


def test_a_fixed_graph_gets_shapes_too(keras: ModuleType, tmp_path: Path) -> None:
    image_model(keras).export(tmp_path / "saved", verbose=False)
    network = load_model(tmp_path / "saved", trust=True).network
    assert not network.editable
    fixed = with_shapes(network, {network.inputs[0].name: (8, 10, 3)})
    assert fixed.outputs[0].shape[1:] == (8, 10, 4)
