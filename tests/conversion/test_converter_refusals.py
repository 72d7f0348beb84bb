"""A model that the TFLite converter refuses: the operation and the layer are named, and the hint works."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.conversion.converter_refusals import explain_conversion_error
from tflite_compress.models.load import load_model
from tflite_compress.models.source import source_from_object
from tflite_compress.runtimes.litert import predict
from tflite_compress.support.errors import ConversionError

FLOAT = ConverterSettings("float32")


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that hashes numbers by their text, which TFLite cannot."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    number = keras.Input((1,), dtype="int64", name="number")
    code = layers.Hashing(num_bins=8, name="bins")(number)
    x = layers.Flatten()(layers.Embedding(8, 4)(code))
    path = tmp_path_factory.mktemp("hashed") / "hashed.keras"
    keras.Model(number, layers.Dense(3, name="answer")(x)).save(path)
    return path


def test_the_operation_and_its_layer_are_named_and_the_hint_works(hashed: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        convert_network(load_model(hashed).network, FLOAT, (), lambda n: None)
    assert caught.value.message == (
        "TFLite has no operator for tf.AsString, tf.StringToHashBucketFast, which layer 'bins' (Hashing) uses"
    )
    cut = re.search(r"--cut=(\w+)", caught.value.hint or "")
    assert cut is not None
    network = load_model(hashed, cut=(cut.group(1),)).network
    content, _ = convert_network(network, FLOAT, (), lambda n: None)
    codes = np.array([[3], [7]], np.int64)
    (found,) = predict(content, (codes,), *network.tensor_names)
    assert np.allclose(found, network.predict((codes,))[0], atol=1e-6)


def test_a_layer_within_the_model_is_to_be_replaced(keras: ModuleType) -> None:
    x = keras.Input((4,), name="x")
    dense = keras.layers.Dense(4, name="first")(x)
    network = source_from_object(keras.Model(x, keras.layers.ReLU(name="act")(dense))).network
    node = type("Node", (), {"op": "Relu", "name": f"{network.name}/act/Relu"})()
    error = ValueError("error: 'tf.Relu' op is neither a custom op nor a flex op")
    found = explain_conversion_error(error, network, iter([node]), "int8")
    assert found.message == "TFLite has no operator for tf.Relu, which layer 'act' (ReLU) uses"
    assert found.hint == "Replace the layer by one that TFLite has operators for."


def test_other_errors_keep_their_words(keras: ModuleType) -> None:
    x = keras.Input((4,), name="x")
    network = source_from_object(keras.Model(x, keras.layers.Dense(2)(x))).network
    found = explain_conversion_error(ValueError("error: no memory"), network, iter([]), "int8")
    assert found.message == "the TFLite converter refuses int8: error: no memory"
