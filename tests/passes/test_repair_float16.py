"""The pass scales a network whose sums pass float16's range."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.inspection.float16_peaks import FLOAT16_MAX, measure_peaks
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context, ConvertedModel, FloatModel
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.repair_float16 import RepairFloat16
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent


@pytest.fixture(scope="module")
def wide(keras2: ModuleType) -> tuple[ConvertedModel, Context]:
    """Return two convolutions whose sums pass 65,504, in float16, and their data."""
    layers = keras2.layers
    keras2.utils.set_random_seed(0)
    large = keras2.initializers.Constant(40.0)
    image = keras2.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", kernel_initializer=large, name="first")(image)
    x = layers.Conv2D(8, 3, padding="same", kernel_initializer=large, name="second")(x)
    x = layers.Rescaling(1e-6)(layers.GlobalAveragePooling2D()(x))
    model = keras2.Model(image, layers.Dense(4, activation="softmax")(x))
    source = load_model(model)
    x = np.random.default_rng(0).random((24, 8, 8, 3)).astype(np.float32)
    splits = gather(DataSpec(data=(x, np.arange(24) % 4)), source.network, 0)
    context = Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())
    return Convert(precision="float16").apply(FloatModel(source.network), context), context


def test_outputs_stay_and_values_fit(wide: tuple[ConvertedModel, Context]) -> None:
    model, context = wide
    made = RepairFloat16().apply(model, context)
    samples, names = context.reference.splits.calibrate.inputs, model.network.tensor_names
    before, after = (predict(m.flatbuffer, samples, *names, workers=1)[0] for m in (model, made))
    np.testing.assert_array_equal(after, before)
    peaks = [measure_peaks(m.flatbuffer, samples, names[0]) for m in (model, made)]
    assert max(peaks[0].sums.values()) > FLOAT16_MAX >= 4 * max(peaks[1].sums.values())
    (note,) = [n for n in made.notes if n.code == "scaled-for-float16"]
    assert "second" in note.text and "without further operators" in note.text and "e+" not in note.text


def test_a_model_that_fits_is_left_alone(wide: tuple[ConvertedModel, Context]) -> None:
    model, context = wide
    made = RepairFloat16().apply(model, context)
    again = RepairFloat16().apply(replace(made, notes=()), context)
    assert again.flatbuffer == made.flatbuffer
    assert [n.code for n in again.notes] == ["pass-left-out"]
