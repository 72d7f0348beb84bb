"""Recurrent layers and attention that skip padding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.narrow import present
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.load import load_model
from tflite_compress.models.masked_recurrence import with_explicit_masks
from tflite_compress.models.network import Network
from tflite_compress.models.unroll import unrolled
from tflite_compress.profiles.devices import Precision
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.litert import predict
from tflite_compress.support.errors import StructureError
from tflite_compress.tflite.flatbuffer import operator_names

STEPS = 6
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    """Sequences without padding, padded behind, in front and in between, and one that is all padding."""
    x = np.random.default_rng(0).integers(1, 9, (16, STEPS)).astype(np.int32)
    x[2:6, 4:], x[6:10, :3], x[10:13, 2:4], x[13] = 0, 0, 0, 0
    return x


def embedded(keras: ModuleType, outputs: Callable[[Any], Any]) -> Network:
    keras.utils.set_random_seed(0)
    read = keras.Input((STEPS,), dtype="int32", name="tokens")
    wide = keras.initializers.RandomNormal(stddev=1.0, seed=0)
    embed = keras.layers.Embedding(9, 3, embeddings_initializer=wide, mask_zero=True, name="embed")
    return load_model(keras.Model(read, outputs(embed(read)))).network


CASES: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "last": lambda k: lambda h: k.LSTM(4)(h),
    "sequence": lambda k: lambda h: k.GRU(4, return_sequences=True)(h),
    "backwards": lambda k: lambda h: k.SimpleRNN(4, go_backwards=True, return_sequences=True)(h),
    "stacked": lambda k: lambda h: k.LSTM(3)(k.Bidirectional(k.LSTM(4, return_sequences=True))(h)),
    "merged": lambda k: lambda h: k.Bidirectional(k.LSTM(4), merge_mode="ave")(h),
    "masking": lambda k: lambda h: k.LSTM(3)(k.Masking(0.0)(k.ReLU()(h))),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "last" else pytest.mark.slow) for name in CASES]
)
def test_outputs_on_padded_sequences_are_those_of_keras(
    keras: ModuleType, tokens: np.ndarray, name: str
) -> None:
    network = embedded(keras, CASES[name](keras.layers))
    assert network.editable
    explicit = with_explicit_masks(network)
    assert explicit is not network and explicit.tensor_names == network.tensor_names
    expected = network.predict((tokens,))[0]
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(explicit.predict((tokens,))[0], expected, atol=TOLERANCE)


def test_an_unmasked_network_is_unchanged(keras: ModuleType) -> None:
    read = keras.Input((STEPS, 2))
    network = load_model(keras.Model(read, keras.layers.LSTM(3)(read))).network
    assert with_explicit_masks(network) is network


@pytest.mark.slow
def test_a_masked_lstm_becomes_one_operator_on_every_runtime(keras: ModuleType, tokens: np.ndarray) -> None:
    network = embedded(keras, lambda h: keras.layers.Bidirectional(keras.layers.LSTM(4))(h))
    content, _ = convert_network(network, ConverterSettings("float32"), (tokens,), lambda n: None)
    names = operator_names(content)
    assert "WHILE" not in names and names.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 2
    expected = network.predict((tokens,))[0]
    made = predict(content, (tokens,), *network.tensor_names, workers=1)[0]
    np.testing.assert_allclose(made, expected, atol=TOLERANCE)
    micro = find_runtime("tflm", Remote())
    raw = present(micro(content, (tokens[:, np.newaxis],)).outputs)[0]
    np.testing.assert_allclose(raw.reshape(expected.shape), expected, atol=TOLERANCE)
    content, notes = convert_network(unrolled(network), ConverterSettings("int8"), (tokens,), lambda n: None)
    raw = present(micro(content, (tokens[:, np.newaxis],)).outputs)[0].reshape(expected.shape)
    assert not notes and np.abs(raw - expected).max() < 0.1 * np.ptp(expected)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "error"), [("int8", 0.05), ("int16x8", 0.01)])
def test_steps_that_are_always_masked_are_quantized(
    keras: ModuleType, precision: Precision, error: float
) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((STEPS, 5))
    x = keras.layers.GRU(6)(keras.layers.Masking()(inputs))
    network = unrolled(load_model(keras.Model(inputs, x)).network)
    samples = np.random.default_rng(0).normal(size=(16, STEPS, 5)).astype(np.float32)
    samples[:, 4:] = 0
    content, _ = convert_network(network, ConverterSettings(precision), (samples,), lambda n: None)
    (found,) = predict(content, (samples,), *network.tensor_names)
    np.testing.assert_allclose(found, network.predict((samples,))[0], atol=error)


@pytest.mark.slow
def test_pooling_and_attention_use_the_mask(keras: ModuleType, tokens: np.ndarray) -> None:
    def heads(h: Any) -> Any:
        seen = keras.layers.GRU(4, return_sequences=True)(h)
        attended = keras.layers.MultiHeadAttention(2, 3)(seen, seen)
        return keras.layers.GlobalAveragePooling1D()(keras.layers.Add()([seen, attended]))

    network, some = embedded(keras, heads), tokens[:13]
    expected = network.predict((some,))[0]
    content, _ = convert_network(unrolled(network), ConverterSettings("float32"), (some,), lambda n: None)
    assert "WHILE" not in operator_names(content)
    made = predict(content, (some,), *network.tensor_names, workers=1)[0]
    np.testing.assert_allclose(made, expected, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
def test_masked_attention_keeps_its_scores_in_int8(
    keras: ModuleType, tokens: np.ndarray, causal: bool
) -> None:
    def heads(h: Any) -> Any:
        attended = keras.layers.MultiHeadAttention(2, 3)(h, h, use_causal_mask=causal)
        return keras.layers.Flatten()(attended)

    network, some = embedded(keras, heads), tokens[:13]
    expected = network.predict((some,))[0]
    bounded = unrolled(network)
    np.testing.assert_allclose(bounded.predict((some,))[0], expected, atol=2e-4)
    content, _ = convert_network(bounded, ConverterSettings("int8"), (some,), lambda n: None)
    made = predict(content, (some,), *network.tensor_names, workers=1)[0]
    assert np.abs(made - expected).max() < 0.05 * np.ptp(expected)


def test_attention_without_a_mask_is_unchanged(keras: ModuleType) -> None:
    read = keras.Input((STEPS, 3))
    network = load_model(keras.Model(read, keras.layers.MultiHeadAttention(2, 3)(read, read))).network
    assert unrolled(network) is network


def passed_on(k: Any, h: Any) -> Any:
    _, hidden, cell = k.LSTM(4, return_state=True)(h)
    return k.LSTM(4, name="decode")(h, initial_state=[hidden, cell])


STEPWISE: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "cells": lambda k: lambda h: k.RNN([k.GRUCell(4), k.LSTMCell(3)])(h),
    "states": lambda k: lambda h: k.Concatenate()(k.LSTM(4, return_state=True)(h)),
    "states of both": lambda k: lambda h: k.Concatenate()(k.Bidirectional(k.GRU(4, return_state=True))(h)),
    "given states": lambda k: lambda h: passed_on(k, h),
    "cell both ways": lambda k: (
        lambda h: k.Bidirectional(k.RNN(k.LSTMCell(4), return_sequences=True), merge_mode="sum")(h)
    ),
    "backwards": lambda k: lambda h: k.RNN(k.SimpleRNNCell(4), go_backwards=True, return_sequences=True)(h),
    "image": lambda k: (
        lambda h: k.ConvLSTM1D(2, 2, padding="same")(k.Masking(0.0)(k.Reshape((STEPS, 3, 1))(h)))
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPWISE)
def test_other_recurrent_layers_are_computed_step_by_step(
    keras: ModuleType, tokens: np.ndarray, name: str
) -> None:
    network = embedded(keras, STEPWISE[name](keras.layers))
    assert network.editable
    expected = network.predict((tokens,))[0]
    steps = unrolled(network)
    assert steps is not network and np.ptp(expected) > 0.01
    np.testing.assert_allclose(steps.predict((tokens,))[0], expected, atol=TOLERANCE)
    content, notes = convert_network(steps, ConverterSettings("int8"), (tokens,), lambda n: None)
    assert not notes and "WHILE" not in operator_names(content)
    made = predict(content, (tokens,), *network.tensor_names, workers=1)[0]
    assert np.abs(made - expected).max() < 0.1 * np.ptp(expected)


@pytest.mark.slow
def test_a_given_state_counts_in_int8(keras: ModuleType) -> None:
    """The fused integer LSTM operator takes a given state for one of another scale."""
    keras.utils.set_random_seed(0)
    read, state = keras.Input((STEPS, 3), name="x"), [keras.Input((4,), name=n) for n in ("h", "c")]
    model = keras.Model([read, *state], keras.layers.LSTM(4)(read, initial_state=state))
    network, rng = load_model(model).network, np.random.default_rng(0)
    data = tuple(rng.normal(size=(16, *s)).astype(np.float32) for s in ((STEPS, 3), (4,), (4,)))
    expected = network.predict(data)[0]
    content, _ = convert_network(unrolled(network), ConverterSettings("int8"), data, lambda n: None)
    made = predict(content, data, *network.tensor_names, workers=1)[0]
    assert np.abs(made - expected).max() < 0.1 * np.ptp(expected)


@pytest.mark.slow
def test_a_mask_that_stays_a_loop_is_named(
    keras: ModuleType, tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tflite_compress.models.unroll.MAX_UNROLLED_STEPS", STEPS - 1)
    network = embedded(keras, lambda h: keras.layers.LSTM(4, return_state=True, name="encode")(h)[1])
    with pytest.raises(
        StructureError, match=r"'encode' \(LSTM\) has a mask and return_state.*'embed'"
    ) as caught:
        convert_network(unrolled(network), ConverterSettings("int8"), (tokens,), lambda n: None)
    assert "mask_zero=False" in present(caught.value.hint)


def test_a_loop_ends_a_recipe_at_once(run: Run, keras: ModuleType, tmp_path: Path) -> None:
    read = keras.Input((130, 2))
    keras.Model(read, keras.layers.SimpleRNN(2, name="long")(read)).save(tmp_path / "m.keras")
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(8, 130, 2)).astype(np.float32))
    code, _, errors = run("compress", "m.keras", "--device=rp2040", "--data=d.npz", "--no-details")
    assert code == 2 and "'long' (SimpleRNN) has 130 time steps" in errors and "trying" not in errors
