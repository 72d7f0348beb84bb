"""What is said of the precision of layers is read from the file."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.conversion import LayerType
from tflite_compress.conversion.per_layer import prepare, quantized
from tflite_compress.conversion.written_types import type_notes, written_layers
from tflite_compress.models.layer_table import layer_table
from tflite_compress.models.network import Network
from tflite_compress.models.source import source_from_object
from tflite_compress.passes.algorithms.fold import without_batchnorm
from tflite_compress.passes.algorithms.quality import with_handle
from tflite_compress.passes.values import FloatModel
from tflite_compress.tflite.layer_names import LayerTable


@pytest.fixture(scope="module")
def network() -> Network:
    """Convolution, BatchNorm and activation as three layers, and a residual, as in MLPerf Tiny's ResNet8."""
    import keras

    keras.utils.set_random_seed(2)
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(image)))
    y = layers.DepthwiseConv2D(3, padding="same", name="depth")(x)
    y = layers.ReLU(6.0, name="clip")(layers.BatchNormalization(name="norm")(y))
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(y))
    x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.Dense(4, activation="softmax", name="answer")(layers.Flatten()(x))
    return source_from_object(keras.Model(image, x)).network


@pytest.fixture(scope="module")
def samples() -> tuple[np.ndarray, ...]:
    return (np.random.default_rng(3).normal(size=(8, 8, 8, 3)).astype(np.float32),)


def test_settings_reach_their_layers_after_another_pass_folded_batchnorm(
    network: Network, samples: tuple[np.ndarray, ...]
) -> None:
    plain = prepare(network, samples, False)
    chosen: dict[str, LayerType] = {
        la.name: "int4" for la in plain.layers if {"CONV_2D", "FULLY_CONNECTED"} & {*la.kinds}
    }
    assert len(chosen) == 3 and "answer" in chosen
    folded = with_handle(FloatModel(network), without_batchnorm(network.handle)).network
    made = quantized(prepare(folded, samples, False), "int8", chosen, "minmax", False)
    written = written_layers(made.content, layer_table(folded))
    assert all("INT4" in written[name].weights for name in chosen)
    assert {*written["depth"].weights} == {"INT8"}


def test_a_layer_is_found_by_the_names_of_what_is_fused_into_it(
    network: Network, samples: tuple[np.ndarray, ...]
) -> None:
    import re

    plain = prepare(network, samples, False)
    named = [[la.name for la in plain.layers if la.matches(re.compile(p))] for p in ("^norm$", "^clip$")]
    assert named == [["depth"], ["depth"]]


def test_notes_state_what_the_file_holds(network: Network, samples: tuple[np.ndarray, ...]) -> None:
    made = quantized(prepare(network, samples, False), "int8", {"answer": "int4"}, "minmax", False)
    written = written_layers(made.content, layer_table(network))
    weights = {name: sum(layer.weights.values()) for name, layer in written.items()}
    share = weights["answer"] / sum(weights.values())
    (note,) = type_notes(written, {"answer": "int4"})
    assert note.code == "layer-types-written"
    assert note.text == f"4-bit weights in the file: {share:.0%} of the weights (answer)"


def test_layers_without_the_precision_asked_for_are_named(
    network: Network, samples: tuple[np.ndarray, ...]
) -> None:
    made = quantized(prepare(network, samples, False), "int8", {}, "minmax", False)
    written = written_layers(made.content, layer_table(network))
    (note,) = type_notes(written, {"answer": "int4", "gone": "int16x8"})
    assert (note.code, note.severity) == ("layer-types-missing", "warning")
    assert (
        "answer (int8, not int4)" in note.text and "gone (no operator of its own, not int16x8)" in note.text
    )


def test_without_the_keras_model_names_come_from_the_file(
    network: Network, samples: tuple[np.ndarray, ...]
) -> None:
    made = quantized(prepare(network, samples, False), "int8", {}, "minmax", False)
    known, guessed = (written_layers(made.content, table) for table in (layer_table(network), LayerTable()))
    assert {n for n, la in known.items() if la.weights} == {n for n, la in guessed.items() if la.weights}
    assert known["depth"] == guessed["depth"]
