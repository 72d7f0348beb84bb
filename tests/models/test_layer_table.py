"""Every operator with weights is attributed to the Keras layer that has them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.narrow import present
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.layer_table import layer_table
from tflite_compress.models.network import Network, keras_network
from tflite_compress.models.source import source_from_object
from tflite_compress.passes.algorithms.fold import without_batchnorm
from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.support.backend import tfmot
from tflite_compress.tflite.slim_file import list_slimming_steps, slim_file


@pytest.fixture(scope="module")
def network() -> Network:
    """Depthwise and separable convolutions with BatchNorm and activations, a residual, a nested model."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    inner = keras.Sequential([keras.Input((4, 4, 8)), layers.Conv2D(8, 1, name="inside")], name="block")
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, padding="same")(y)
    x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.SeparableConv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.SeparableConv2D(8, 3, padding="same")(x)
    x = inner(x)
    x = layers.Flatten()(x)
    x = layers.ReLU()(layers.Dense(4, use_bias=False)(x))
    model = keras.Model(image, x)
    return source_from_object(model).network


def wrong(network: Network, slim: bool = False) -> list[tuple[str, str]]:
    """Operators with weights whose layer has no weights of their size."""
    content, _ = convert_network(network, ConverterSettings("float32"), (), lambda n: None)
    table = layer_table(network)
    if slim:
        content = slim_file(content, list_slimming_steps("safe", table))
    model = LoadedModel(content, table)
    sizes = {layer.name: layer.kernels for layer in table.layers.values()}
    weights = [(op, model.weights(op)) for op in model.operators]
    found = [(op, values[0].size) for op, values in weights if values is not None]
    assert len(found) >= 8
    return [(op.layer, op.name) for op, count in found if count not in sizes.get(op.layer, ())]


def test_weights_belong_to_the_layer_that_has_them(network: Network) -> None:
    assert wrong(network) == []


def test_names_stay_after_batchnorm_is_folded_by_another_pass(network: Network) -> None:
    folded = keras_network(without_batchnorm(network.handle), network.name, True)
    assert wrong(folded) == []


def test_slimming_names_operators_after_keras_layers(network: Network) -> None:
    assert wrong(network, slim=True) == []


def test_layers_of_quantization_aware_training_have_the_names_of_the_model(network: Network) -> None:
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((4,)), layers.Dense(3, name="first"), layers.ReLU(name="act")])
    aware: Any = tfmot().quantization.keras.quantize_model(model)
    table = layer_table(keras_network(aware, "aware", True))
    assert table.layers["quant_first"].name == "first"
    assert table.layers["quant_first"].kernels == {12}


def test_a_shared_layer_names_all_its_calls() -> None:
    import keras

    keras.utils.set_random_seed(1)
    dense, x = keras.layers.Dense(8, activation="tanh", name="twice"), keras.Input((8,))
    network = source_from_object(keras.Model(x, dense(dense(x)))).network
    content, _ = convert_network(network, ConverterSettings("float32"), (), lambda n: None)
    model = LoadedModel(content, layer_table(network))
    assert [op.layer for op in model.operators if op.kind == "FULLY_CONNECTED"] == ["twice", "twice"]
    assert math.prod(present(model.graph.tensors[model.operators[0].inputs[1]].shape)) == 64
