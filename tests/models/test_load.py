from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.models.load import load_model
from tflite_compress.support.errors import ModelError


def small(library: Any) -> Any:
    layers = library.layers
    return library.Sequential(
        [
            library.Input((6, 6, 2)),
            layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def agrees(model: Any, source: Any) -> bool:
    x = np.random.default_rng(0).standard_normal((4, 6, 6, 2)).astype(np.float32)
    return bool(np.allclose(np.asarray(model(x, training=False)), source.network.predict((x,))[0], atol=1e-5))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("which", ["keras", "keras2"])
def test_files_of_both_keras_versions(
    request: pytest.FixtureRequest, which: str, suffix: str, tmp_path: Path
) -> None:
    model = small(request.getfixturevalue(which))
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    source = load_model(path)
    assert source.network.editable and agrees(model, source)
    assert ("Keras 2" if which == "keras2" else "Keras 3") in source.format


def test_the_suffix_does_not_matter(keras2: ModuleType, tmp_path: Path) -> None:
    model = small(keras2)
    model.save(tmp_path / "model.h5")
    disguised = (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    assert load_model(disguised).format.startswith("h5")


@pytest.mark.slow
def test_a_keras2_saved_model_can_be_edited(keras2: ModuleType, tmp_path: Path) -> None:
    model = small(keras2)
    model.save(tmp_path / "saved", save_format="tf")
    source = load_model(tmp_path / "saved")
    assert source.network.editable and agrees(model, source)


@pytest.mark.slow
def test_an_exported_saved_model_runs_but_cannot_be_edited(keras: ModuleType, tmp_path: Path) -> None:
    model = small(keras)
    model.export(tmp_path / "exported", verbose=False)
    source = load_model(tmp_path / "exported")
    assert not source.network.editable and agrees(model, source)


@pytest.mark.parametrize("which", ["keras", "keras2"])
def test_model_objects(request: pytest.FixtureRequest, which: str) -> None:
    model = small(request.getfixturevalue(which))
    source = load_model(model)
    assert source.network.editable and agrees(model, source) and len(source.sha256) == 64


def test_a_subclassed_model_object_runs(keras: ModuleType) -> None:
    class Mine(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Mine()
    x = np.ones((3, 4), np.float32)
    expected = np.asarray(model(x))
    source = load_model(model)
    assert not source.network.editable
    assert np.allclose(source.network.predict((x,))[0], expected, atol=1e-6)


def test_a_fixed_batch_is_freed(keras: ModuleType) -> None:
    inputs = keras.Input(batch_shape=(8, 4))
    source = load_model(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    assert source.network.inputs[0].shape == (None, 4)
    assert source.network.predict((np.ones((3, 4), np.float32),))[0].shape == (3, 2)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("which", ["keras", "keras2"])
def test_the_compiled_loss_is_kept(
    request: pytest.FixtureRequest, which: str, suffix: str, tmp_path: Path
) -> None:
    library = request.getfixturevalue(which)
    model = small(library)
    for loss in (library.losses.SparseCategoricalCrossentropy(), "sparse_categorical_crossentropy"):
        model.compile("adam", loss)
        model.save(tmp_path / f"m.{suffix}")
        assert load_model(tmp_path / f"m.{suffix}").loss == "sparse_categorical_crossentropy"


@pytest.mark.parametrize(("which", "suffix"), [("keras", "keras"), ("keras2", "h5"), ("keras2", "keras")])
def test_code_in_the_compile_state_is_neither_needed_nor_run(
    request: pytest.FixtureRequest, which: str, suffix: str, tmp_path: Path
) -> None:
    model = small(request.getfixturevalue(which))
    model.compile("adam", lambda y, p: (y - p) ** 2, metrics=[lambda y, p: y - p])
    model.save(tmp_path / f"m.{suffix}")
    source = load_model(tmp_path / f"m.{suffix}")
    assert agrees(model, source) and source.loss is None


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("which", ["keras", "keras2"])
def test_lambda_layers_are_refused_unless_trusted(
    request: pytest.FixtureRequest, which: str, suffix: str, tmp_path: Path
) -> None:
    library = request.getfixturevalue(which)
    model = library.Sequential([library.Input((4,)), library.layers.Lambda(lambda x: x * 2, name="twice")])
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    with pytest.raises(ModelError, match="twice") as caught:
        load_model(path)
    assert "--trust-model" in present(caught.value.hint)
    source = load_model(path, trust=True)
    assert np.allclose(source.network.predict((np.ones((1, 4), np.float32),))[0], 2)


def test_a_saved_model_that_calls_python_is_refused(tmp_path: Path) -> None:
    from tflite_compress.support.backend import tensorflow

    tf = tensorflow()
    module = tf.Module()
    module.f = tf.function(
        lambda x: tf.ensure_shape(tf.numpy_function(lambda v: v, [x], tf.float32), [None, 2]),
        input_signature=[tf.TensorSpec([None, 2])],
    )
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.f)
    with pytest.raises(ModelError, match="runs code"):
        load_model(tmp_path / "saved")


def test_custom_layers_come_by_custom_objects(keras: ModuleType, tmp_path: Path) -> None:
    class Twice(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x * 2

    keras.Sequential([keras.Input((4,)), Twice(name="my_twice")]).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match="my_twice") as caught:
        load_model(tmp_path / "m.keras")
    assert "--custom-objects" in present(caught.value.hint)
    source = load_model(tmp_path / "m.keras", {"Twice": Twice})
    assert np.allclose(source.network.predict((np.ones((1, 4), np.float32),))[0], 2)


@pytest.mark.parametrize(
    ("module", "name"),
    [("evil_module", "Evil"), ("keras_evil", "Evil"), ("builtins", "eval"), ("tensorflow.io.gfile", "GFile")],
)
def test_a_foreign_module_in_a_keras_file_is_never_imported(
    digits: Path, tmp_path: Path, module: str, name: str
) -> None:
    evil = tmp_path / "evil.keras"
    with zipfile.ZipFile(digits) as source, zipfile.ZipFile(evil, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1] |= {"module": module, "class_name": name}
                content = json.dumps(config).encode()
            target.writestr(member, content)
    for file in ("evil_module.py", "keras_evil.py"):
        (tmp_path / file).write_text("raise SystemExit('code ran')")
    with pytest.raises(ModelError, match=f"{module}.{name}"):
        load_model(evil)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "no such file"),
        (b"", "not a Keras model"),
        (b"hello, this is text", "not a Keras model"),
        (b"PK\x03\x04 broken", "damaged"),
        (b"\x89HDF\r\n\x1a\nbroken", "damaged"),
        (b"\x1c\0\0\0TFL3rest", "already a .tflite"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None, match: str) -> None:
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=match) as caught:
        load_model(path)
    assert caught.value.hint


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_keras_file_is_refused(digits: Path, tmp_path: Path, share: float) -> None:
    content = digits.read_bytes()
    path = tmp_path / "cut.keras"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"damaged|cannot be loaded"):
        load_model(path)


def test_weights_alone_are_no_model(keras2: ModuleType, tmp_path: Path) -> None:
    small(keras2).save_weights(tmp_path / "weights.h5")
    with pytest.raises(ModelError, match="weights but no model"):
        load_model(tmp_path / "weights.h5")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"saved_model\.pb"):
        load_model(tmp_path)
