from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tflite_compress as tc

QUICK = tc.PruneChannels(
    0.5, rounds=1, recovery_steps=0, samples=64, training=tc.Training(epochs=0, min_steps=2)
)


@pytest.fixture(scope="module")
def model(keras: ModuleType, digits: Path) -> Any:
    return keras.models.load_model(digits)


@pytest.fixture(scope="module")
def arrays(digits_arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    names = ("x_train", "y_train") if "x_train" in digits_arrays else ("x", "y")
    x, y = (digits_arrays[name][:200] for name in names)
    return x, y


def test_a_keras_3_model_stays_one_and_trains_and_saves(
    keras: ModuleType, tiny: Any, tiny_data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    before = tiny.get_weights()
    small = tc.apply(tiny, QUICK, data=tiny_data)
    assert isinstance(small, keras.Model) and small.count_params() < tiny.count_params()
    assert all(np.array_equal(a, b) for a, b in zip(before, tiny.get_weights(), strict=True))
    small.compile("adam", "sparse_categorical_crossentropy")
    small.fit(*tiny_data, epochs=1, verbose=0)
    small.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    x = tiny_data[0][:8]
    assert np.allclose(loaded.predict(x, verbose=0), small.predict(x, verbose=0), atol=1e-6)
    lite = tc.convert(small, tc.Float32())
    assert np.allclose(lite.predict(x), small.predict(x, verbose=0), atol=1e-4)


def test_a_tf_keras_model_stays_one(keras2: ModuleType, arrays: tuple[np.ndarray, np.ndarray]) -> None:
    layers, shape = keras2.layers, arrays[0].shape[1:]
    model = keras2.Sequential(
        [keras2.Input(shape), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10, "softmax")]
    )
    small = tc.apply(model, QUICK, data=lambda: arrays)
    assert isinstance(small, keras2.Model) and small.count_params() < model.count_params()


@pytest.mark.slow
def test_layers_are_cut_off_in_apply_and_convert(keras: ModuleType, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    words = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot", name="words")
    text = keras.Input((1,), dtype="string")
    model = keras.Model(text, layers.Dense(2)(layers.Dense(16, "relu")(words(text))))
    model.save(tmp_path / "text.keras")
    codes = np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(0, 3, 64)]
    expected = np.asarray(model(np.array([["a"], ["b"]])))
    encoded = np.asarray(words(np.array([["a"], ["b"]])))
    for start in (model, tmp_path / "text.keras"):
        small = tc.apply(start, QUICK, data=codes, cut="words")
        assert small.input_shape == (None, 3) and small.count_params() < model.count_params()
        lite = tc.convert(start, tc.Float32(), cut="words")
        assert np.allclose(lite.predict(encoded), expected, atol=1e-5)


def test_passes_stop_when_the_time_budget_is_used(
    tiny: Any, tiny_data: tuple[np.ndarray, np.ndarray]
) -> None:
    said: list[str] = []
    long = tc.PruneChannels(0.5, rounds=1, recovery_steps=0, samples=64, training=tc.Training(min_steps=900))
    options: dict[str, Any] = {
        "time_budget_seconds": 1e-9,
        "progress": lambda update: said.append(update.title),
    }
    small = tc.apply(tiny, long, data=tiny_data, **options)
    assert small.count_params() < tiny.count_params()
    assert any("the time budget of 1e-09 s was used" in text and "stopped after" in text for text in said)
    lite = tc.convert(tiny, tc.chain(tc.Int4(), tc.Int8()), calibration=tiny_data[0], **options)
    assert "time-budget-used" in [note.code for note in lite.notes]


def test_an_integer_model_predicts_like_the_original(
    model: Any, arrays: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    x = arrays[0]
    lite = tc.convert(model, tc.Int8(), calibration=x, device="rp2040")
    found = lite.predict(x)
    assert np.mean(found.argmax(1) == model.predict(x, verbose=0).argmax(1)) > 0.95
    assert lite.check("rp2040").fits and len(repr(lite)) < 200 and "digits" in lite._repr_html_()
    assert lite.signature.inputs[0].dtype == np.int8
    again = tc.TFLiteModel.load(lite.save(tmp_path / "m.tflite"))
    assert again.content == lite.content and again.name == "m"
    assert tc.inspect(again).bytes == len(lite.content)


def test_a_chain_converts_with_all_its_passes(model: Any, arrays: tuple[np.ndarray, np.ndarray]) -> None:
    recipe = tc.chain(tc.Equalize(), tc.Int8())
    assert len(tc.convert(model, recipe, calibration=arrays[0]).content) < 120_000


def test_errors_name_python_arguments() -> None:
    with pytest.raises(tc.UsageError, match=r"does not give a Keras model[\s\S]*chain"):
        tc.apply("m.keras", tc.Int8())
    with pytest.raises(tc.DataError, match=r"trains and no data was given\nGive data=\(x, y\)"):
        tc.apply("m.keras", QUICK)
    with pytest.raises(tc.DataError, match="needs calibration samples"):
        tc.convert("m.keras", tc.Int8())
    with pytest.raises(tc.ConfigError, match="target_macs"):
        tc.chain(tc.PruneChannels(5.0), tc.Int8())
    with pytest.raises(tc.ConfigError, match="exactly one"):
        tc.chain(tc.PruneChannels(0.5))
    with pytest.raises(tc.UsageError, match=r"^max_drop=-1: expected 0 or more"):
        tc.compress("m.keras", "rp2040", max_drop=-1)
