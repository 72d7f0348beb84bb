"""The int8 file whose outputs are closest to the float network's is taken; the converter's where none is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.choose_int8 import ChooseInt8
from tflite_compress.passes.convert import Convert, flatbuffer
from tflite_compress.passes.values import CalibrationMethod, Quantizer
from tflite_compress.pipeline.recipes import load_recipe
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent

FILE = Convert("int8", "float32")


@pytest.fixture(scope="module")
def harmed() -> tuple[FloatModel, Context]:
    """A small network, and calibration samples of which one is 200 times as large as all others."""
    from tflite_compress.models.load import load_model
    from tflite_compress.support.backend import keras3

    keras = keras3()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,), name="x")
    x = keras.layers.Dense(16, activation="relu", name="hidden")(inputs)
    network = load_model(keras.Model(inputs, keras.layers.Dense(4, name="last")(x))).network
    x = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    calibrate = x[:128].copy()
    calibrate[0] *= 200
    spec = DataSpec(train=x, calibrate=calibrate, evaluate=x[:100])
    reference = make_reference(network, gather(spec, network, 0), None, None, None)
    return FloatModel(network), Context(reference, 0, Silent())


def test_the_closest_file_is_taken_and_the_note_has_both_figures(harmed: tuple[FloatModel, Context]) -> None:
    model, context = harmed
    chosen = ChooseInt8(precision="int8", io="float32").apply(model, context)
    assert chosen.fact(Quantizer).name == "litert-quantizer"
    assert chosen.fact(CalibrationMethod).method != "minmax"
    note = next(n for n in chosen.notes if n.code == "int8-chosen")
    assert "litert-quantizer" in note.text and note.text.count(" %") == 2
    x = context.reference.splits.evaluate.inputs
    errors = [
        np.abs(predict(flatbuffer(FILE, m, context)[0], x, *m.network.tensor_names)[0] - wanted).mean()
        for m, wanted in ((m, context.reference.evaluation_outputs[0]) for m in (model, chosen))
    ]
    assert errors[1] < errors[0] / 3


def test_the_converters_file_stays_where_it_is_close_enough(harmed: tuple[FloatModel, Context]) -> None:
    model, context = harmed
    assert ChooseInt8(precision="int8", io="float32", tolerance=1.0).apply(model, context) is model


def test_nothing_is_chosen_on_random_inputs(harmed: tuple[FloatModel, Context]) -> None:
    model, context = harmed
    splits = gather(DataSpec(), model.network, 0)
    on_random = replace(context, reference=replace(context.reference, splits=splits))
    assert ChooseInt8(precision="int8", io="float32").apply(model, on_random) is model


def test_a_file_that_is_no_closer_is_not_taken(harmed: tuple[FloatModel, Context]) -> None:
    model, context = harmed
    splits = context.reference.splits
    same = replace(
        splits, calibrate=splits.train.take(np.arange(250)), train=splits.train.take(np.arange(250))
    )
    sound = replace(context, reference=replace(context.reference, splits=same))
    kept = ChooseInt8(precision="int8", io="float32", tolerance=0.0).apply(model, sound)
    codes = [n.code for n in kept.notes]
    assert codes in (["int8-kept"], ["int8-chosen"])
    assert (kept.network is model.network and not kept.facts) == (codes == ["int8-kept"])


def test_settings_of_the_conversion_that_decide_what_quantizes_leave_the_choice_out() -> None:
    device = load_device("raspberry-pi-4")
    choice, plain = ChooseInt8(), load_recipe("int8").conversion
    assert isinstance(plain, Convert)
    found = choice.resolve(plain, device)
    assert found is not None and found.conversion == plain.resolve(plain, device)
    for other in (
        Convert("int8", calibration_method="mse"),
        Convert("int16x8"),
        Convert("int8", layers=("a=int4",)),
    ):
        assert choice.resolve(other, device) is None
