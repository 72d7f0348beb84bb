"""Every activation, initializer, regularizer, constraint, loss, metric, optimizer and layer of Keras 3."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.keras3_layers import every_layer, layer_classes
from tests.narrow import present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.copying import copied
from tflite_compress.models.load import load_model
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.errors import ModelError

FORMATS = ["keras", "h5"]
X = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


def named_classes(module: ModuleType, base: type) -> Iterator[type]:
    """Yield the concrete classes of a module that can be made without arguments."""
    found = {value for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, base)}
    for kind in sorted(found, key=lambda kind: kind.__name__):
        required = [
            p
            for p in inspect.signature(kind).parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        if kind is not base and not required:
            yield kind


def named_functions(module: ModuleType) -> Iterator[Callable[..., Any]]:
    helpers = ("get", "serialize", "deserialize")
    found = {
        function for name, function in inspect.getmembers(module, inspect.isfunction) if name not in helpers
    }
    yield from sorted(found, key=lambda function: function.__name__)


def require_equal(model: Any, path: Path, arrays: list[np.ndarray]) -> Any:
    """Load the file; the network and a copy of it must compute what the model does. Returns the source."""
    source = load_model(path)
    assert source.network.editable, source.network.why_not_editable
    given = arrays if len(arrays) > 1 else arrays[0]
    expected = tensorflow().nest.flatten(model(given, training=False))
    copy = tensorflow().nest.flatten(copied(source.network.handle)(given, training=False))
    actual = source.network.call(tuple(arrays))
    for name, e, a, c in zip(model.output_names, expected, actual, copy, strict=True):
        assert np.allclose(e, np.asarray(a), atol=1e-5), name
        assert np.allclose(e, c, atol=1e-5), name
    return source


def branches(keras: ModuleType, layers: list[Any]) -> Any:
    inputs = keras.Input((8,))
    return keras.Model(inputs, [layer(inputs) for layer in layers])


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_activation_survives_saving(keras: ModuleType, suffix: str, tmp_path: Path) -> None:
    functions = [f for f in named_functions(keras.activations) if f.__name__ != "threshold"]
    assert len(functions) > 25
    keras.utils.set_random_seed(0)
    dense = [keras.layers.Dense(4, activation=f, name=f"dense_{f.__name__}") for f in functions]
    plain = [keras.layers.Activation(f, name=f"plain_{f.__name__}") for f in functions]
    model = branches(keras, dense + plain)
    model.save(tmp_path / f"model.{suffix}")
    require_equal(model, tmp_path / f"model.{suffix}", [X])


@pytest.mark.parametrize("suffix", FORMATS)
def test_initializers_regularizers_and_constraints(keras: ModuleType, suffix: str, tmp_path: Path) -> None:
    layers = []
    for option, module, base in [
        ("kernel_initializer", keras.initializers, keras.initializers.Initializer),
        ("kernel_regularizer", keras.regularizers, keras.regularizers.Regularizer),
        ("kernel_constraint", keras.constraints, keras.constraints.Constraint),
    ]:
        kinds = [kind for kind in named_classes(module, base) if kind.__name__ != "STFT"]
        assert len(kinds) > 3
        layers += [keras.layers.Dense(8, name=f"{kind.__name__}_layer", **{option: kind()}) for kind in kinds]
    model = branches(keras, layers)
    model.save(tmp_path / f"model.{suffix}")
    require_equal(model, tmp_path / f"model.{suffix}", [X])


@pytest.mark.parametrize("suffix", FORMATS)
def test_losses_and_metrics(keras: ModuleType, suffix: str, tmp_path: Path) -> None:
    losses = [kind() for kind in named_classes(keras.losses, keras.losses.Loss)]
    metrics = [kind() for kind in named_classes(keras.metrics, keras.metrics.Metric)]
    losses += named_functions(keras.losses)
    assert len(losses) > 40 and len(metrics) > 30
    model = branches(keras, [keras.layers.Dense(2, name=f"output_{i}") for i in range(len(losses))])
    model.compile("adam", losses, metrics=[metrics, *([] for _ in losses[1:])])
    model.save(tmp_path / f"model.{suffix}")
    source = require_equal(model, tmp_path / f"model.{suffix}", [X])
    assert source.loss == losses[0].name


def test_optimizers(keras: ModuleType, tmp_path: Path) -> None:
    kinds = [*named_classes(keras.optimizers, keras.optimizers.Optimizer)]
    assert len(kinds) > 10
    for kind in kinds:
        model = branches(keras, [keras.layers.Dense(2)])
        model.compile(kind(), "mse")
        model.save(tmp_path / "model.keras")
        assert load_model(tmp_path / "model.keras").loss == "mse"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_layer_survives_saving(keras: ModuleType, suffix: str, tmp_path: Path) -> None:
    classes = [kind for kind in layer_classes(keras) if suffix == "keras" or is_saved_in_hdf5(kind)]
    assert len(classes) > 80
    model = every_layer(keras, classes)
    model.save(tmp_path / f"model.{suffix}")
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 2, [2, *t.shape[1:]]).astype(np.float32) for t in model.inputs]
    require_equal(model, tmp_path / f"model.{suffix}", arrays)


def is_saved_in_hdf5(kind: type) -> bool:
    """False for layers that Keras cannot write into HDF5, or not read from it."""
    return "image_preprocessing" not in kind.__module__ and kind.__name__ != "Attention"


def test_a_layer_that_keras_cannot_read_is_named(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, keras.layers.Attention(name="look")([inputs, inputs]))
    model.save(tmp_path / "model.h5")
    with pytest.raises(ModelError, match=r"'look' \(Attention\)") as caught:
        load_model(tmp_path / "model.h5")
    assert ".keras" in present(caught.value.hint)


def test_a_class_number_may_be_a_float(keras: ModuleType) -> None:
    embedding = keras.Sequential([keras.Input((8,)), keras.layers.Embedding(9, 3)])
    assert load_model(embedding).network.editable
    assert gather(DataSpec(), load_model(embedding).network, 0).train.inputs[0].max() == 1
