"""Networks that XNNPACK computes right and float16 wrong, before and after repair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.samples import random_samples
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.layer_table import layer_table
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context, ConvertedModel, FloatModel
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.repair_float16 import RepairFloat16
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.gpu_score import GpuCheck, evaluate_on_gpu
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent

SAMPLES = 40
Made = tuple[ConvertedModel, Context]


def two_convolutions(keras2: ModuleType) -> Any:
    layers, large = keras2.layers, keras2.initializers.Constant(40.0)
    image = keras2.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", kernel_initializer=large, name="first")(image)
    x = layers.Conv2D(8, 3, padding="same", kernel_initializer=large, name="second")(x)
    x = layers.Rescaling(1e-6)(layers.GlobalAveragePooling2D()(x))
    return keras2.Model(image, layers.Dense(4, activation="softmax", name="kind")(x))


def normalized_rows(keras2: ModuleType) -> Any:
    layers = keras2.layers
    rows = keras2.Input((8, 32), name="rows")
    x = layers.LayerNormalization(name="norm")(layers.Rescaling(900.0)(rows))
    x = layers.Dense(16, activation="relu")(x)
    return keras2.Model(rows, layers.Dense(3, name="answer")(layers.GlobalAveragePooling1D()(x)))


def converted(model: Any) -> Made:
    source = load_model(model)
    (x,) = random_samples(source.network, SAMPLES)
    x = np.abs(x) if x.ndim == 4 else x
    splits = gather(DataSpec(data=x), source.network, 0)
    context = Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())
    return Convert(precision="float32", io="float32").apply(FloatModel(source.network), context), context


def check(model: ConvertedModel, context: Context, seconds: float = 60.0) -> GpuCheck:
    samples = context.reference.splits.evaluate.inputs
    on_cpu = predict(model.flatbuffer, samples, *model.network.tensor_names, workers=1)
    table = layer_table(model.network)
    return evaluate_on_gpu(model.flatbuffer, context.reference, on_cpu, table, seconds).check


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "output", "layer", "is_nan"),
    [(two_convolutions, "kind", "second", True), (normalized_rows, "answer", "norm", False)],
)
def test_a_failing_network_is_found_and_repaired(
    gpu_driver: Path, keras2: ModuleType, build: Callable[[Any], Any], output: str, layer: str, is_nan: bool
) -> None:
    keras2.utils.set_random_seed(0)
    model, context = converted(build(keras2))
    before = check(model, context).score
    assert before is not None and before.is_whole
    if is_nan:
        assert (
            before.judged_drop == float("inf") and before.by_output[output].faulty_samples == before.samples
        )
        assert layer in before.layers and layer in (before.fault or "") and output in (before.fault or "")
    else:  # the accelerator gives wrong numbers without NaN
        assert before.drop > 0.5 and before.fault is None
    repaired = RepairFloat16().apply(model, context)
    after = check(repaired, context).score
    assert after is not None and after.fault is None and after.is_whole
    found = after.by_output[output]
    assert found.max_difference < 0.01 * found.largest and abs(after.drop) < 0.01
    assert after.samples == len(context.reference.splits.evaluate)


def test_a_driver_that_is_not_set_up_is_said(
    keras2: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFLITE_COMPRESS_GPU", str(tmp_path))
    keras2.utils.set_random_seed(0)
    found = check(*converted(normalized_rows(keras2)))
    assert found.score is None and found.judged_drop == float("-inf")
    assert found.not_measured is not None and "setup-gpu" in found.not_measured
