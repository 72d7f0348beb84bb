"""Folding, equalization, bias correction: the function stays, and int8 gets better or nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.narrow import present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.models.network import Network
from tflite_compress.models.wiring import wiring
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms.bias_correction import input_means, rounded, shift
from tflite_compress.passes.algorithms.equalization import absorb, activation_ranges, equalizable
from tflite_compress.passes.algorithms.fold import foldable, without_batchnorm
from tflite_compress.passes.algorithms.quality import Quality, quality
from tflite_compress.passes.bias_correct import BiasCorrect
from tflite_compress.passes.equalize import Equalize
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent


def random_norms(model: Any, seed: int = 0) -> Any:
    """Give every BatchNorm statistics and weights of its own, as training would."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            shapes = [w.shape for w in layer.get_weights()]
            layer.set_weights([rng.uniform(0.5, 2, shape).astype(np.float32) for shape in shapes])
    return model


def network_of(keras: ModuleType, inputs: Any, outputs: Any) -> Network:
    keras.utils.set_random_seed(1)
    return load_model(random_norms(keras.Model(inputs, outputs))).network


def same(first: Any, second: Any, *inputs: np.ndarray) -> bool:
    arrays = list(inputs) if len(inputs) > 1 else inputs[0]
    return bool(np.allclose(first(arrays), second(arrays), rtol=1e-4, atol=1e-4))


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(4, *shape)).astype(np.float32)


def test_batchnorm_becomes_part_of_the_layer_before(keras: ModuleType) -> None:
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    for layer in (
        layers.Conv2D(4, 3, use_bias=False, name="a"),
        layers.BatchNormalization(name="na"),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="b"),
        layers.BatchNormalization(name="nb", scale=False),
        layers.Conv2DTranspose(5, 3, name="c"),
        layers.BatchNormalization(name="nc", center=False),
        layers.Flatten(),
        layers.Dense(6, name="d"),
        layers.BatchNormalization(name="nd"),
    ):
        x = layer(x)
    model = network_of(keras, inputs, x).handle
    assert foldable(model) == {"a": "na", "b": "nb", "c": "nc", "d": "nd"}
    folded = without_batchnorm(model)
    assert same(model, folded, image(8, 8, 3))
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert "BatchNormalization" not in kinds and folded.get_layer("a").use_bias


def test_batchnorm_others_read_too_stays(keras: ModuleType) -> None:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    conv = layers.Conv2D(4, 3, name="conv")(inputs)
    norm = layers.BatchNormalization(name="norm")(conv)
    relu = layers.Conv2D(4, 1, activation="relu", name="active")(norm)
    last = layers.BatchNormalization(name="after_relu")(relu)
    model = network_of(keras, inputs, layers.Add()([last, conv])).handle
    assert foldable(model) == {}
    assert same(model, without_batchnorm(model), image(6, 6, 2))


def test_wiring_knows_readers_and_shared_layers(keras: ModuleType) -> None:
    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = layers.Dense(3, name="shared")
    a, b = shared(left), shared(right)
    model = network_of(
        keras, [left, right], layers.Dense(2, name="last")(layers.Add(name="sum")([a, b]))
    ).handle
    wires = wiring(model)
    assert wires.shared == {"shared"} and wires.readers["shared"] == ("sum", "sum")
    assert wires.only_reader("sum") == "last" and wires.only_reader("last") is None
    assert wires.only_reader("shared") is None


@pytest.fixture(scope="module")
def uneven(keras: ModuleType) -> Network:
    """Convolutions of all kinds whose channels differ widely."""
    layers = keras.layers
    x = inputs = keras.Input((10, 10, 1), name="image")
    for layer in (
        layers.Conv2D(8, 3, use_bias=False, name="first"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
        layers.DepthwiseConv2D(3, name="depth"),
        layers.BatchNormalization(name="norm2"),
        layers.Activation("relu", name="relu2"),
        layers.Conv2D(6, 1, activation="relu", name="point"),
        layers.MaxPooling2D(name="pool"),
        layers.Flatten(name="flat"),
        layers.Dense(5, activation="relu", name="hidden"),
        layers.Dense(3, name="last"),
    ):
        x = layer(x)
    network = network_of(keras, inputs, x)
    model = network.handle
    for name, seed in (("norm", 3), ("norm2", 4)):
        norm = model.get_layer(name)
        factors = np.exp2(np.random.default_rng(seed).uniform(-6, 6, 8)).astype(np.float32)
        gamma, beta, mean, variance = norm.get_weights()
        norm.set_weights([gamma * factors, beta * factors, mean, variance])
        reader = model.get_layer({"norm": "depth", "norm2": "point"}[name])
        kernel, bias = reader.get_weights()
        reader.set_weights([kernel / factors[:, np.newaxis], bias])
    return network


@pytest.fixture(scope="module")
def context(uneven: Network) -> Context:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 10, 10, 1)).astype(np.float32)
    splits = gather(DataSpec(x), uneven, 0)
    return Context(make_reference(uneven, splits, None, None, None), 0, Silent())


def test_pairs_that_can_be_evened_out(uneven: Network) -> None:
    folded = without_batchnorm(uneven.handle)
    found = {(p.producer, p.consumer) for p in equalizable(folded)}
    assert found == {("first", "depth"), ("depth", "point"), ("point", "hidden"), ("hidden", "last")}


@pytest.mark.parametrize("per_channel", [True, False])
def test_equalization_repairs_uneven_channels(uneven: Network, context: Context, per_channel: bool) -> None:
    start = FloatModel(uneven)
    done = Equalize(precision="int8", per_channel=per_channel).apply(start, context)
    assert done.network is not uneven and any(
        "equalize helped" in note for note in [n.text for n in done.notes]
    )
    inputs = context.reference.splits.evaluate.inputs
    assert np.allclose(uneven.predict(inputs)[0], done.network.predict(inputs)[0], rtol=1e-3, atol=1e-3)
    config = Equalize(precision="int8", per_channel=per_channel)
    before, after = (quality(m, config, context) for m in (start, done))
    assert after.better_than(before) and after.snr_db > before.snr_db + 3
    folded = without_batchnorm(uneven.handle)
    ranges = [
        activation_ranges(m, [p for p in equalizable(m) if p.producer == "first"], inputs)["first"]
        for m in (folded, done.network.handle)
    ]
    spread = [float(r.max() / np.median(r)) for r in ranges]
    assert spread[1] < spread[0]


@pytest.mark.slow
def test_nothing_is_changed_where_it_does_not_help(uneven: Network, context: Context) -> None:
    once = Equalize(precision="int8").apply(FloatModel(uneven), context)
    twice = Equalize(precision="int8").apply(replace(once, notes=()), context)
    if twice.network is once.network:
        assert any("left out" in note for note in [n.text for n in twice.notes])
    else:
        assert any("equalize helped" in note for note in [n.text for n in twice.notes])
    plain = Equalize(precision="float32").apply(FloatModel(uneven), context)
    assert plain.network is uneven and any("did not help" in note for note in [n.text for n in plain.notes])


def test_joined_layers_and_other_activations_are_left_alone(keras: ModuleType) -> None:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    a = layers.Conv2D(4, 3, activation="tanh", name="a")(inputs)
    b = layers.Conv2D(4, 1, activation="relu6", name="b")(a)
    c = layers.Conv2D(4, 1, name="c")(b)
    d = layers.Conv2D(4, 1, name="d")(c)
    model = network_of(keras, inputs, layers.Add()([c, d])).handle
    assert equalizable(model) == []


def test_absorbed_biases_leave_the_function(keras: ModuleType) -> None:
    layers = keras.layers
    inputs = keras.Input((6,))
    x = layers.Dense(5, name="a")(inputs)
    x = layers.ReLU(name="relu")(x)
    network = network_of(keras, inputs, layers.Dense(3, name="b")(x))
    model = without_batchnorm(network.handle)
    kernel, _ = model.get_layer("a").get_weights()
    model.get_layer("a").set_weights([kernel, np.full(5, 20.0, np.float32)])
    samples = image(6)
    before = np.asarray(model(samples))
    absorb(model, equalizable(model), (samples,))
    assert np.allclose(before, np.asarray(model(samples)), atol=1e-3)
    assert model.get_layer("a").get_weights()[1].max() < 19


@pytest.mark.parametrize("per_channel", [True, False])
def test_biases_take_back_the_mean_error(uneven: Network, context: Context, per_channel: bool) -> None:
    model = without_batchnorm(uneven.handle)
    inputs = context.reference.splits.calibrate.inputs
    layer = model.get_layer("point")  # 1x1: no borders, so that the mean is exact
    means = input_means(model, [layer], inputs)["point"]
    kernel, _ = layer.get_weights()
    error = rounded(layer, kernel, per_channel) - kernel
    x = np.random.default_rng(0).normal(size=(500, len(means))).astype(np.float32) + means
    wrong = (x @ error[0, 0]).mean(axis=0)
    x_exact = means @ error[0, 0]
    assert np.allclose(shift(layer, error, means), x_exact, atol=1e-6)
    assert np.abs(wrong - shift(layer, error, means)).max() < np.abs(error).max() * 2


def test_weights_are_rounded_as_the_converter_rounds_them(uneven: Network) -> None:
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.tflite.flatbuffer import operator_name, unpack
    from tflite_compress.tflite.macs import constant

    model = without_batchnorm(uneven.handle)
    from tflite_compress.models.network import keras_network

    samples = (image(10, 10, 1),)
    content, _ = convert_network(
        keras_network(model, "m", True), ConverterSettings(precision="int8"), samples, lambda n: None
    )
    tree = unpack(content)
    graph = tree.subgraphs[0]
    conv = next(op for op in graph.operators if operator_name(tree, op) == "CONV_2D")
    tensor = graph.tensors[conv.inputs[1]]
    values = constant(tensor, tree)
    assert values is not None
    found = values * np.asarray(present(tensor.quantization).scale).reshape(-1, 1, 1, 1)
    layer = model.get_layer("first")
    mine = rounded(layer, layer.get_weights()[0], True).transpose(3, 0, 1, 2)
    assert np.allclose(found, mine, atol=1e-6)


def test_bias_correction_is_kept_only_if_it_helps(uneven: Network, context: Context) -> None:
    done = BiasCorrect(precision="int8").apply(FloatModel(uneven), context)
    note = next(n for n in [n.text for n in done.notes] if n.startswith("bias_correct"))
    assert ("helped" in note) == (done.network is not uneven)


def test_better_means_in_agreement_then_with_less_noise() -> None:
    low = np.random.default_rng(0).uniform(0.8, 0.9, 100)
    high = low + np.random.default_rng(1).uniform(0, 0.02, 100)
    unlike = low[::-1]  # the same mean, and no sample has the same value
    assert Quality(0.8, 10, high).better_than(Quality(0.9, 50, low))
    assert not Quality(0.9, 50, low).better_than(Quality(0.8, 10, high))
    assert Quality(0.8, 20, unlike).better_than(Quality(0.9, 10, low))
    assert not Quality(0.9, 10, unlike).better_than(Quality(0.9, 10, low))
    assert not Quality(0.9, 99, low).better_than(Quality(0.9, 95, low)), "both have no noise worth a change"
    assert Quality(0.9, 10, None).better_than(Quality(0.8, 50, None)), "outputs that are scored together"
    assert Quality(0.9, 20, None).better_than(Quality(0.9, 10, None))


def test_clearly_better_is_more_than_a_label_or_rounding() -> None:
    low, high = np.full(300, 0.95), np.full(300, 0.99)
    slightly = low + 0.0005
    assert Quality(0.8, 10, high).clearly_better_than(Quality(0.9, 10, low))
    assert not Quality(0.91, 10.5, slightly).clearly_better_than(Quality(0.9, 10, low)), "a single label"
    assert Quality(0.9, 11.5, slightly).clearly_better_than(Quality(0.9, 10, low))
    assert not Quality(0.9, 50, low).clearly_better_than(Quality(0.9, 10, high))
    assert not Quality(0.9, 99, low).clearly_better_than(Quality(0.9, 95, low)), "both have no noise"
    assert Quality(0.91, 10, None).clearly_better_than(Quality(0.9, 10, None))
    assert not Quality(0.89, 50, None).clearly_better_than(Quality(0.9, 10, None))
    assert Quality(0.8, 10, high).gain_over(Quality(0.9, 10, low)) == pytest.approx(0.04)
    assert Quality(0.8, 10, None).gain_over(Quality(0.9, 10, None)) == pytest.approx(-0.1)


@pytest.mark.slow
def test_the_recipe_repair_int8_runs_on_the_command_line(run: Run, digits: Path, digits_data: Path) -> None:
    arguments = (
        f"--data={digits_data}",
        "--device=rp2040",
        "--recipe=repair-int8",
        "--bundle=false",
        "--max-drop=2%",
    )
    code, out, _ = run("compress", digits, *arguments)
    assert (
        code == 0
        and "ready: " in out
        and "repaired + int8" in out
        and "equalize" in out
        and "bias_correct" in out
    )
