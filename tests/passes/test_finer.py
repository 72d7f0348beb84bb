"""Calibration methods, mixed precision, 4-bit weights and learned rounding improve models or say why not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from tests.narrow import of_type
from tflite_compress.conversion import LayerType
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.models.network import Network
from tflite_compress.passes import Context, ConvertedModel, FloatModel, Model, PassConfig
from tflite_compress.passes.adaround import AdaRound
from tflite_compress.passes.algorithms.bias_correction import analytic_means, input_means
from tflite_compress.passes.algorithms.fold import without_batchnorm
from tflite_compress.passes.algorithms.learned_rounding import LEARNED, step_grid
from tflite_compress.passes.algorithms.quality import quality
from tflite_compress.passes.bias_correct import BiasCorrect
from tflite_compress.passes.calibration import Calibration
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.mixed import Mixed
from tflite_compress.passes.shared_results import SharedResults
from tflite_compress.passes.values import CalibrationMethod, LayerTypes
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent
from tflite_compress.support.time_budget import TimeBudget

CONVERT = Convert(precision="int8", io="float32")


def score(model: Model, context: Context, *passes: PassConfig) -> tuple[float, int, Model]:
    """Accuracy on the evaluation samples and bytes after some passes and the conversion."""
    from tflite_compress.runtimes.litert import predict

    for config in (*passes, CONVERT):
        model = config.run(model, context)
    content = of_type(ConvertedModel, model).flatbuffer
    outputs = predict(content, context.reference.splits.evaluate.inputs, *model.network.tensor_names)
    return context.reference.score_of(outputs).value, len(content), model


@pytest.fixture(scope="module")
def spiked(start: FloatModel, context: Context) -> Context:
    """The example with calibration samples of which one is broken: a hundred times too bright."""
    splits = context.reference.splits
    x = splits.calibrate.inputs[0].copy()
    x[0] *= 100
    calibrate = replace(splits.calibrate, inputs=(x,))
    reference = replace(context.reference, splits=replace(splits, calibrate=calibrate))
    return replace(context, reference=reference, shared=SharedResults())  # statistics of other samples


@pytest.mark.slow
def test_calibration_method_excludes_an_outlier_sample(start: FloatModel, spiked: Context) -> None:
    before, _, _ = score(start, spiked)
    after, _, model = score(start, spiked, Calibration(precision="int8"))
    assert model.fact(CalibrationMethod).method != "minmax" and any(
        note.startswith("calibration method") for note in [n.text for n in model.notes]
    )
    assert after > before + 0.05 and after > spiked.reference.score.value - 0.05


def test_calibration_method_that_does_not_help_is_not_used(start: FloatModel, context: Context) -> None:
    model = Calibration(precision="int8", method="entropy").apply(start, context)
    helped = model.fact(CalibrationMethod).method == "entropy"
    assert any(
        note.startswith("calibration method entropy" if helped else "no calibration method")
        for note in [n.text for n in model.notes]
    )


@pytest.fixture(scope="module")
def wide() -> tuple[FloatModel, Context]:
    """A network in which one sum holds numbers sixty times as large as what is left of it."""
    from tflite_compress.support.backend import keras3

    keras = keras3()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((8,), name="x")
    x = layers.Dense(16, activation="relu", name="before")(inputs)
    big = layers.Dense(16, name="big")(x)
    small = layers.Dense(16, name="small")(x)
    joined = layers.Subtract(name="differ")([layers.Add(name="sum")([big, small]), big])
    outputs = layers.Dense(4, name="last")(joined)
    network: Network = load_model(keras.Model(inputs, outputs)).network
    layer = network.handle.get_layer("big")
    layer.set_weights([w * 60 for w in layer.get_weights()])
    data = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    context = Context(
        make_reference(network, gather(DataSpec(data), network, 0), None, None, None), 0, Silent()
    )
    return FloatModel(network), context


def test_the_layers_that_cost_most_get_wider_numbers(wide: tuple[FloatModel, Context]) -> None:
    model, context = wide
    before, _, _ = score(model, context)
    after, _, mended = score(model, context, Mixed(precision="int8", max_layers=4))
    assert {"sum", "differ"} <= {*mended.fact(LayerTypes).by_layer} and {
        *mended.fact(LayerTypes).by_layer.values()
    } == {"int16x8"}
    assert after > before + 0.05
    none = Mixed(precision="int8", types=()).apply(model, context)
    assert not none.fact(LayerTypes).by_layer and any(
        "no wider type" in note for note in [n.text for n in none.notes]
    )


class Counted(Silent):
    """Keeps how many units of each step were announced and reported."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Count the units of a step."""
        counts = self.steps.setdefault(title, [total or 0, 0])

        def advance(units: int) -> None:
            counts[1] += units

        yield advance


@pytest.mark.slow
def test_mixed_precision_that_does_not_help_stays_out(
    start: FloatModel, context: Context, capfd: pytest.CaptureFixture[str]
) -> None:
    counted = Counted()
    model = Mixed(precision="int8").apply(start, replace(context, progress=counted))
    tried = {title: counts for title, counts in counted.steps.items() if "mixed: trying" in title}
    assert tried and all(total == done > 0 for total, done in tried.values())
    assert "Generating Quantization" not in capfd.readouterr().err
    assert not model.fact(LayerTypes).by_layer
    assert any("hardly helped" in note.text for note in model.notes)


@pytest.mark.slow
def test_four_bits_shrink_and_learned_rounding_gives_the_accuracy_back(
    start: FloatModel, context: Context
) -> None:
    _, bytes8, _ = score(start, context)
    four = Int4(precision="int8", max_calibration_drop=1.0)
    _, bytes4, model = score(start, context, four)
    assert bytes4 < bytes8 and "int4" in model.fact(LayerTypes).by_layer.values()
    _, same_bytes, done = score(start, context, four, AdaRound(precision="int8", steps=150))
    assert same_bytes == bytes4 and any("adaround helped" in note for note in [n.text for n in done.notes])
    config = AdaRound(precision="int8")
    closeness = [quality(FloatModel(m.network, m.facts), config, context).snr_db for m in (model, done)]
    assert closeness[1] > closeness[0] + 1


def test_four_bits_only_as_far_as_asked(start: FloatModel, context: Context) -> None:
    for config, why in (
        (Int4(precision="int16x8"), "go with int8 activations"),
        (Int4(precision="int8", operators=()), "no kernels"),
        (Int4(precision="int8", exclude=(".*",)), "fit into 4 bits"),
    ):
        model = config.apply(start, context)
        assert not model.fact(LayerTypes).by_layer and any(
            why in note for note in [n.text for n in model.notes]
        ), why
    allowed = Int4(precision="int8", max_calibration_drop=1.0, operators=("CONV_2D",)).apply(start, context)
    layers = start.network.handle
    assert allowed.fact(LayerTypes).by_layer
    assert {type(layers.get_layer(name)).__name__ for name in allowed.fact(LayerTypes).by_layer} == {"Conv2D"}
    (note,) = (n.text for n in allowed.notes if n.code == "no-four-bit-kernel")
    assert "digit" in note and note.endswith("no kernel for 4-bit weights of FULLY_CONNECTED")


@pytest.mark.slow
def test_rounded_weights_are_on_the_converters_grid(start: FloatModel, context: Context) -> None:
    done = AdaRound(precision="int8", steps=2).apply(start, context)
    plain = without_batchnorm(start.network.handle)
    for layer in done.network.handle.layers if done.network is not start.network else []:
        if type(layer).__name__ in LEARNED:
            grid = step_grid(plain.get_layer(layer.name), 8, True)
            steps = layer.get_weights()[0] / grid.scale
            assert np.allclose(steps, np.rint(steps), atol=1e-2)
            moved = np.abs(layer.get_weights()[0] - plain.get_layer(layer.name).get_weights()[0])
            assert np.all(moved <= grid.scale * 1.01)


def test_four_bit_grids_give_extremes_up_where_that_pays(keras2: ModuleType) -> None:
    layer = keras2.layers.Dense(2)
    layer.build((None, 400))
    kernel = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    kernel[0, 0] = 6.0
    layer.set_weights([kernel, np.zeros(2)])
    four, eight = step_grid(layer, 4, True), step_grid(layer, 8, True)
    assert four.max_step == 7 and eight.max_step == 127
    assert np.allclose(eight.scale * 127, np.abs(kernel).max(axis=0))
    assert four.scale[0, 0] * 7 < 0.8 * 6.0


def test_analytic_means_are_near_the_measured_ones(keras: ModuleType) -> None:
    layers = keras.layers
    x = inputs = keras.Input((12, 12, 3))
    for layer in (
        layers.Conv2D(8, 3, name="a"),
        layers.BatchNormalization(name="n"),
        layers.ReLU(),
        layers.Conv2D(4, 1, name="b"),
    ):
        x = layer(x)
    model = load_model(keras.Model(inputs, x)).network.handle
    samples = np.random.default_rng(0).normal(size=(200, 12, 12, 3)).astype(np.float32)
    probe = np.asarray(type(model)(model.inputs, model.get_layer("a").output)(samples)).reshape(-1, 8)
    gamma, beta = np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8)
    model.get_layer("n").set_weights([gamma, beta, probe.mean(axis=0), probe.var(axis=0)])
    found = analytic_means(model)
    assert set(found) == {"b"}
    folded = without_batchnorm(model)
    measured = input_means(folded, [folded.get_layer("b")], (samples,))["b"]
    assert np.allclose(found["b"], measured, atol=0.05)


def test_analytic_correction_runs_and_is_kept_only_if_it_helps(start: FloatModel, context: Context) -> None:
    done = BiasCorrect(precision="int8", means="analytic").apply(start, context)
    note = next(n for n in [n.text for n in done.notes] if n.startswith("bias_correct"))
    assert ("helped" in note) == (done.network is not start.network)


def test_biases_are_corrected_for_the_bits_of_each_layer(start: FloatModel, context: Context) -> None:
    folded = without_batchnorm(start.network.handle)
    layer = folded.get_layer("hidden")
    kernel, bias = layer.get_weights()
    steps = np.abs(kernel).max(axis=0) / 7
    error = np.rint(kernel / steps) * steps - kernel
    means = input_means(folded, [layer], context.reference.splits.calibrate.inputs)["hidden"]
    found = []
    cases: tuple[dict[str, LayerType], ...] = ({"hidden": "int4"}, {})
    for types in cases:
        model = start.with_fact(LayerTypes(types))
        network = BiasCorrect(precision="int8").corrected(model, context)
        assert network is not None
        found.append(network.handle.get_layer("hidden").get_weights()[1] - bias)
    np.testing.assert_allclose(found[0], -means @ error, atol=1e-5)
    assert np.abs(found[0]).max() > 4 * np.abs(found[1]).max()


def used_after(questions: int) -> TimeBudget:
    """A budget that is used when it has been asked so often."""
    ticks = iter(range(10**6))
    return TimeBudget(questions, lambda: next(ticks))


def test_4_bit_weights_chosen_before_the_time_budget_is_used_are_kept(
    start: FloatModel, context: Context
) -> None:
    config = Int4(precision="int8", max_calibration_drop=0.5)
    budget = used_after(4)
    model = config.apply(start, replace(context, budget=budget))
    assert "int4 stopped after it measured 2 of" in budget.notes[0].text
    assert not model.fact(LayerTypes).by_layer
    budget = used_after(9)
    model = config.apply(start, replace(context, budget=budget))
    assert "int4 stopped after it tried" in budget.notes[0].text
    assert 1 <= len(model.fact(LayerTypes).by_layer) < 4


def test_learned_rounding_ends_with_the_time_budget(start: FloatModel, context: Context) -> None:
    budget = used_after(2)
    AdaRound(precision="int8", steps=1).apply(start, replace(context, budget=budget))
    assert "learned rounding stopped after 1 of" in budget.notes[0].text
