from __future__ import annotations

import gc
from types import ModuleType

import numpy as np
import pytest

from tests.channels.check import check_removal, counted_macs, shaken
from tests.models.zoo import NAMES, models
from tflite_compress.channels.cost import costs
from tflite_compress.channels.dependencies import trace
from tflite_compress.channels.rebuild import without_channels
from tflite_compress.models.bridge import to_tf_keras

UNREMOVABLE = {"dict_ports", "custom_layer", "custom_layer_nested"}
# One of each structure; larger ones of a family repeat its blocks (all are in tests/models/test_bridge.py).
FAMILIES = (
    "ConvNeXtTiny DenseNet121 EfficientNetV2B0 EfficientNetV2S InceptionResNetV2 InceptionV3 MobileNet "
    "MobileNetV3Large NASNetLarge NASNetMobile ResNet50 ResNet50V2 VGG16 Xception"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_model(keras: ModuleType, name: str) -> None:
    model = shaken(to_tf_keras(models(keras)[name](), verify=False))
    check_removal(model)


def test_residual_squeeze_excite_and_depthwise(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((12, 12, 3))
    stem = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="stem")(inputs))
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(stem)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    squeezed = layers.Reshape((1, 1, 32))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(32, 1, activation="sigmoid", name="gate")(
        layers.Conv2D(8, 1, name="squeeze")(squeezed)
    )
    x = layers.Multiply()([x, gate])
    x = layers.Add()([stem, layers.Conv2D(16, 1, name="project")(x)])
    x = layers.Concatenate()([x, layers.SeparableConv2D(24, 3, padding="same", name="separable")(x)])
    x = layers.Flatten()(layers.AveragePooling2D(4)(x))
    model = shaken(keras2.Model(inputs, layers.Dense(5, name="answer")(x)))
    smaller, dependencies = check_removal(model, 0.25)
    widths = {layer.name: layer.output_shape[-1] for layer in smaller.layers if layer.weights}
    assert widths["stem"] == widths["project"] == 12
    assert widths["depthwise"] == widths["gate"] == 24
    assert widths["squeeze"] == 6 and widths["separable"] == 18 and widths["answer"] == 5
    assert not dependencies.reasons


def test_grouped_and_transposed_convolutions(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((8, 8, 2))
    x = layers.Conv2D(8, 3, name="wide")(inputs)
    x = layers.Conv2D(8, 3, groups=8, name="own_group_each")(x)
    x = layers.Conv2DTranspose(12, 3, name="transposed")(x)
    x = layers.Conv2D(12, 3, groups=3, name="three_groups")(x)
    model = shaken(keras2.Model(inputs, layers.GlobalMaxPooling2D()(x)))
    smaller, dependencies = check_removal(model, 0.5)
    widths = {layer.name: layer.output_shape[-1] for layer in smaller.layers if layer.weights}
    assert widths == {"wide": 4, "own_group_each": 4, "transposed": 12, "three_groups": 12}
    assert "three_groups" in dependencies.reasons


def test_recurrent_layers_lose_units(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8, name="table")(inputs)
    x = layers.LSTM(12, return_sequences=True, name="lstm")(x)
    x = layers.GRU(8, return_sequences=True, name="gru")(x)
    x = layers.Bidirectional(layers.LSTM(4), name="both_ways")(x)
    model = shaken(keras2.Model(inputs, layers.Dense(2)(x)))
    smaller, _ = check_removal(model, 0.5)
    widths = {layer.name: layer.output_shape[-1] for layer in smaller.layers if layer.weights}
    assert (widths["table"], widths["lstm"], widths["gru"], widths["both_ways"]) == (4, 6, 4, 8)


def test_layers_that_need_all_channels_say_so(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((5, 8))
    x = layers.Dense(16, name="free", activation="relu")(inputs)
    x = layers.Dense(8, name="read_by_attention")(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    model = keras2.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Softmax()(x))))
    smaller, dependencies = check_removal(shaken(model), 0.5)
    widths = {layer.name: layer.output_shape[-1] for layer in smaller.layers if layer.weights}
    assert widths["free"] == 8 and widths["read_by_attention"] == 8
    assert "attention" in dependencies.reasons


def test_softmax_in_the_middle_is_no_plain_activation(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((4,))
    x = layers.Dense(6, activation="relu", name="before")(inputs)
    x = layers.Activation("softmax")(layers.Dense(8, name="logits")(x))
    smaller, _ = check_removal(shaken(keras2.Model(inputs, layers.Dense(2)(x))), 0.5)
    assert {layer.name: layer.output_shape[-1] for layer in smaller.layers if layer.weights}["logits"] == 8


def test_excluded_layers_keep_their_channels(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((4,))
    x = layers.Dense(8, name="second")(layers.Dense(8, name="first")(inputs))
    model = keras2.Model(inputs, layers.Dense(2)(x))
    dependencies = trace(model, lambda name: name == "first")
    assert dependencies.count == 8
    smaller = without_channels(model, dependencies, np.arange(8) > 3)
    assert [layer.output_shape[-1] for layer in smaller.layers[1:]] == [8, 4, 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0"])
def test_small_applications(keras: ModuleType, name: str) -> None:
    check_application(keras, name)


@pytest.mark.marathon
@pytest.mark.parametrize("name", FAMILIES)
def test_families_of_applications(keras: ModuleType, keras2: ModuleType, name: str) -> None:
    check_application(keras, name)
    keras.backend.clear_session()
    keras2.backend.clear_session()
    gc.collect()


def check_application(keras: ModuleType, name: str) -> None:
    """Prune 30 % of the channels, run, and count MACs in two ways.

    Seeded, as some random weights make the activations of EfficientNetV2L grow until its softmax is
    one-hot or NaN, in which rounding alone decides the output: even a plain copy differs then.
    """
    keras.utils.set_random_seed(1)
    model = to_tf_keras(getattr(keras.applications, name)(weights=None), verify=False)
    smaller, dependencies = check_removal(model)
    cost = costs(dependencies, "int8")
    sizes = cost.sizes.astype(float)
    kept = sizes - np.floor(0.3 * sizes)
    assert cost.total("macs", sizes) == counted_macs(model)
    assert cost.total("macs", kept) == counted_macs(smaller)
    assert cost.total("macs", kept) < 0.75 * cost.total("macs", sizes)
