"""Sparsity, channels and clusters in the report are those of the file, not those a pass asked for."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.source import source_from_object
from tflite_compress.passes.values import ChannelWidths, Clusters, ConvertedModel, FloatModel, Sparsity
from tflite_compress.reporting.written import read_written


@pytest.fixture(scope="module")
def model() -> ConvertedModel:
    """Two dense layers: half of the first one's weights are zero, the second one's have 4 values."""
    import keras

    keras.utils.set_random_seed(4)
    x = keras.Input((8,))
    first, second = keras.layers.Dense(6, name="first"), keras.layers.Dense(5, name="second")
    keras_model = keras.Model(x, keras.layers.ReLU()(second(first(x))))
    rng = np.random.default_rng(5)
    kernel = rng.normal(size=(8, 6)).astype(np.float32)
    kernel[::2] = 0
    first.set_weights([kernel, np.zeros(6, np.float32)])
    second.set_weights([np.resize([-2.0, -1.0, 1.0, 2.0], (6, 5)).astype(np.float32), np.zeros(5)])
    network = source_from_object(keras_model).network
    content, _ = convert_network(network, ConverterSettings("float32"), (), lambda n: None)
    return FloatModel(network).converted(content)


def test_figures_are_read_from_the_file(model: ConvertedModel) -> None:
    for fact in (Sparsity({"first": 0.8}), ChannelWidths({"first": (12, 99)}), Clusters({"second": 16})):
        model = model.with_fact(fact)
    found = read_written(model)
    assert found.sparsity == {"first": 0.5}
    assert found.channels == {"first": (12, 6)}
    assert found.clusters == {"second": 4}
    assert found.notes == ()


def test_a_layer_that_the_file_lacks_is_not_reported(model: ConvertedModel) -> None:
    found = read_written(model.with_fact(Sparsity({"first": 0.8, "gone": 0.8})))
    assert [*found.sparsity] == ["first"]
    assert [note.text for note in found.notes] == ["pruned layers not found in the file by name: gone"]
    assert found.notes[0].severity == "warning"


def test_nothing_is_read_where_no_pass_changed_a_layer(model: ConvertedModel) -> None:
    assert read_written(model).notes == () and read_written(model).sparsity == {}
