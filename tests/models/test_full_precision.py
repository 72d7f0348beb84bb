"""Models that compute in 16-bit floats are rebuilt in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tflite_compress.models.load import load_model
from tflite_compress.models.source import Source

POLICIES = [
    *(("keras", name) for name in ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")),
    *(("keras2", name) for name in ("mixed_float16", "bfloat16")),
]
X = np.random.default_rng(0).standard_normal((4, 8, 3)).astype(np.float32)


@contextmanager
def policy(library: Any, name: str) -> Iterator[None]:
    mixed = library.config if hasattr(library, "config") else library.mixed_precision
    setter = getattr(mixed, "set_dtype_policy", None) or mixed.set_global_policy
    setter(name)
    try:
        yield
    finally:
        setter("float32")


def sequence(library: Any) -> Any:
    layers = library.layers
    inner = library.Sequential([library.Input((6, 4)), layers.Dense(4, activation="tanh")], name="inner")
    return library.Sequential(
        [
            library.Input((8, 3)),
            layers.Conv1D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            inner,
            layers.Bidirectional(layers.SimpleRNN(3, recurrent_initializer="he_normal")),
            layers.Dense(2),
            layers.Activation("softmax", dtype="float32"),
        ]
    )


def twin(library: Any, build: Callable[[Any], Any], name: str) -> tuple[Any, Any]:
    """Return a model built under a policy, and the same in float32 with the same weights."""
    library.utils.set_random_seed(0)
    with policy(library, name):
        half = build(library)
    plain = build(library)
    plain.set_weights([np.asarray(w, np.float32) for w in half.get_weights()])
    return half, plain


def require_float32(source: Source, plain: Any, name: str) -> None:
    assert [note.code for note in source.notes] == ["rebuilt-in-float32"] and name in source.notes[0].text
    assert all(port.dtype == "float32" for port in (*source.network.inputs, *source.network.outputs))
    expected = np.asarray(plain(X, training=False))
    assert np.allclose(source.network.predict((X,))[0], expected, atol=1e-5)


@pytest.mark.parametrize(("which", "name"), POLICIES)
def test_the_copy_computes_in_float32(request: pytest.FixtureRequest, which: str, name: str) -> None:
    half, plain = twin(request.getfixturevalue(which), sequence, name)
    source = load_model(half)
    assert source.network.editable
    require_float32(source, plain, name)
    assert {layer.compute_dtype for layer in source.network.handle.layers} == {"float32"}


@pytest.mark.parametrize(("which", "suffix"), [("keras", "keras"), ("keras", "h5"), ("keras2", "h5")])
def test_mixed_precision_files_load_as_float32(
    request: pytest.FixtureRequest, which: str, suffix: str, tmp_path: Path
) -> None:
    half, plain = twin(request.getfixturevalue(which), sequence, "mixed_float16")
    half.save(tmp_path / f"model.{suffix}")
    require_float32(load_model(tmp_path / f"model.{suffix}"), plain, "mixed_float16")


def test_casts_in_the_graph_are_removed(keras: ModuleType) -> None:
    inputs = keras.Input((8, 3))
    x = keras.layers.Flatten()(keras.ops.cast(inputs, "float16") * 2)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    source = load_model(model)
    assert np.allclose(source.network.predict((X,))[0], np.asarray(model(X)), atol=1e-2)
    assert [note.code for note in source.notes] == ["rebuilt-in-float32"]


def test_exported_graphs(keras: ModuleType, tmp_path: Path) -> None:
    half, plain = twin(keras, sequence, "mixed_bfloat16")
    half.export(tmp_path / "exported", verbose=False)
    require_float32(load_model(tmp_path / "exported", trust=True), plain, "bfloat16")


@pytest.mark.parametrize("which", ["keras", "keras2"])
def test_subclassed_models(request: pytest.FixtureRequest, which: str) -> None:
    library = request.getfixturevalue(which)

    class Mine(library.Model):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.dense = library.layers.Flatten(), library.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(self.flat(x))

    def build(_: Any) -> Any:
        model = Mine()
        model(X)
        return model

    half, plain = twin(library, build, "mixed_float16")
    require_float32(load_model(half), plain, "float16")


def test_other_models_are_left_alone(keras: ModuleType) -> None:
    assert load_model(sequence(keras)).notes == ()
