"""Diagnoses of models and data broken on purpose: the right thing is blamed."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.narrow import present
from tests.samples import random_samples
from tflite_compress.compression.options import Options
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.data.gather import DataSpec
from tflite_compress.diagnosis.culprits import explain, find_culprits
from tflite_compress.diagnosis.diagnose import Diagnosis, diagnose
from tflite_compress.inspection.layer_errors import Layer, compare_layers
from tflite_compress.models.load import load_model
from tflite_compress.support.progress import Silent

DEVICE = "raspberry-pi-4"


def run_on(model: Any, data: dict[str, Any], **overrides: Any) -> Diagnosis:
    return diagnose(model, DEVICE, None, DataSpec(**data), Options(), overrides, Silent())


@pytest.fixture(scope="module")
def skewed(keras: ModuleType, digits: Path) -> Any:
    """The example with one of its layer's channels scaled up, and the next layer's weights down: the same
    function, and one scale for all channels holds it badly."""
    model = keras.models.load_model(digits)
    first, second = model.get_layer("conv_1"), model.get_layer("conv_2")
    factors = np.ones(first.filters, np.float32)
    factors[::4] = 64.0
    kernel, *bias = first.get_weights()
    first.set_weights([kernel * factors, *(b * factors for b in bias)])
    kernel, *bias = second.get_weights()
    second.set_weights([kernel / factors[:, None], *bias])
    return model


@pytest.mark.slow
def test_nothing_is_blamed_where_nothing_is_wrong(digits: Path, digits_data: Path) -> None:
    found = run_on(digits, {"data": digits_data})
    assert found.is_harmless and not found.inputs and found.before > 0.9
    assert [layer.name for layer in found.layers if layer.weights_snr_db is not None] == [
        "conv_1",
        "conv_2",
        "conv_3",
        "hidden",
        "digit",
    ]
    assert all(layer.snr_db > 30 and layer.cosine > 0.999 for layer in found.layers)
    assert sum(c.share for c in found.culprits) == pytest.approx(1, abs=0.1)


def test_wrong_preprocessing_comes_first(digits: Path, digits_arrays: dict[str, np.ndarray]) -> None:
    spoilt = {k: v.astype(np.float32) * 255 if k.startswith("x") else v for k, v in digits_arrays.items()}
    np.savez("spoilt.npz", allow_pickle=False, **spoilt)
    found = run_on(digits, {"data": "spoilt.npz"})
    assert "divided by 255" in found.inputs[0].text and "--preprocess=unit" in found.inputs[0].do
    assert found.inputs[0].weight > 0.3


def test_calibration_samples_unlike_the_evaluation_samples_are_named(
    digits: Path, digits_arrays: dict[str, np.ndarray]
) -> None:
    a = digits_arrays
    found = run_on(
        digits,
        {
            "train": (a["x_train"], a["y_train"]),
            "calibrate": a["x_train"][:100] * 0.2,
            "evaluate": (a["x_test"], a["y_test"]),
        },
    )
    assert any("outside the" in f.text and "--calibrate" in f.do for f in found.inputs)
    clipped = [c for c in found.culprits if "are clipped" in c.why]
    assert clipped and "representative" in clipped[0].do and not found.is_harmless


def test_a_layer_with_uneven_channels(skewed: Any, digits_data: Path) -> None:
    found = run_on(skewed, {"data": digits_data}, per_channel=False)
    worst = found.culprits[0]
    assert worst.layer in ("conv_1", "conv_2") and not found.is_harmless
    assert "widest channel" in worst.why or "range is set by" in worst.why
    assert "equalize" in worst.do
    layer = next(la for la in found.layers if la.name == "conv_1")
    assert layer.weight_spread > 8 and not layer.per_channel


@pytest.mark.slow
def test_each_channel_with_a_scale_of_its_own_helps(skewed: Any, digits_data: Path) -> None:
    each, one = (run_on(skewed, {"data": digits_data}, per_channel=pc) for pc in (True, False))
    weights = [{la.name: la.weights_snr_db for la in d.layers} for d in (each, one)]
    assert present(weights[0]["conv_1"]) > present(weights[1]["conv_1"]) + 10


@pytest.mark.slow
def test_a_recipe_without_int8_is_diagnosed_as_int8(digits: Path, digits_data: Path) -> None:
    found = diagnose(digits, "raspberry-pi-4", "float16", DataSpec(digits_data), Options(), {}, Silent())
    assert found.precision == "int8" and "precision-replaced" in [note.code for note in found.notes]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int16x8", "dynamic"])
def test_other_precisions_are_diagnosed(digits: Path, digits_data: Path, precision: str) -> None:
    found = run_on(digits, {"data": digits_data}, precision=precision)
    assert found.precision == precision and found.is_harmless
    layer = next(la for la in found.layers if la.name == "conv_2")
    assert layer.snr_db > 35
    assert (layer.range_high is None) == (precision == "dynamic")


@pytest.mark.slow
def test_recurrent_and_multi_output_models_are_compared_by_layer(keras: ModuleType) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    sequence = keras.Sequential(
        [keras.Input((6, 4)), layers.LSTM(8, name="memory"), layers.Dense(2, name="last")]
    )
    left, right = keras.Input((5,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate(name="join")(
        [layers.Dense(4, name="a")(left), layers.Dense(4, name="b")(right)]
    )
    two = keras.Model([left, right], [layers.Dense(2, name="x")(joined), layers.Dense(1, name="y")(joined)])
    for model, names in ((sequence, {"last"}), (two, {"a", "b", "join", "x", "y"})):
        network = load_model(model).network
        samples = random_samples(network, 16)
        files = [
            convert_network(network, ConverterSettings(precision=n), samples, lambda n: None)[0]
            for n in ("float32", "int8")
        ]
        found = compare_layers(files[0], files[1], samples, network.tensor_names[0])
        assert names <= {la.name for la in found}
        assert all(la.snr_db > 10 for la in found)


def layer(**values: Any) -> Layer:
    plain: dict[str, Any] = {
        "name": "l",
        "operator": "CONV_2D",
        "snr_db": 30.0,
        "cosine": 1.0,
        "own_snr_db": 40.0,
        "added_noise": 0.1,
        "clipped": 0.0,
        "low": -1.0,
        "high": 1.0,
        "range_low": -1.0,
        "range_high": 1.0,
        "weights_snr_db": 45.0,
        "weights_cosine": 1.0,
        "per_channel": True,
        "inputs": (),
        "channel_db": 40.0,
        "outlier_channels": (),
        "weight_spread": 1.0,
    }
    return Layer(**{**plain, **values})


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"clipped": 0.02}, "clipped"),
        ({"weights_snr_db": 12.0, "per_channel": False, "weight_spread": 40.0}, "one scale"),
        ({"outlier_channels": (3,), "channel_db": 12.0}, "number 3"),
        ({"weights_snr_db": 12.0}, "keep only 12 dB"),
        ({"own_snr_db": 12.0}, "256 steps are too few"),
        ({}, "adds up"),
    ],
)
def test_each_cause_of_a_poor_layer_is_explained(values: dict[str, Any], word: str) -> None:
    why, do = explain(layer(**values))
    assert word in why and do


def test_layers_that_add_nothing_are_not_blamed() -> None:
    found = find_culprits(
        [layer(name="a"), layer(name="b", added_noise=0.0), layer(name="c", added_noise=1.0)]
    )
    assert [c.layer for c in found] == ["c", "a"]


@pytest.mark.slow
def test_a_diagnosis_is_printed_as_json(run: Run, digits: Path, digits_data: Path) -> None:
    code, out, _ = run("diagnose", digits, f"--device={DEVICE}", f"--data={digits_data}", "--json")
    assert code == 0 and json.loads(out)["metric"] == "top1" and len(json.loads(out)["layers"]) >= 7


def test_from_the_command_line(run: Run, digits: Path, digits_data: Path) -> None:
    code, out, _ = run("diagnose", digits, f"--device={DEVICE}", f"--data={digits_data}", "--plot=layers.svg")
    assert code == 0 and "conv_2" in out and "nothing needs repair" in out
    plot = Path("layers.svg").read_text()
    assert plot.startswith("<?xml") and "conv_2" in plot and "values clipped" in plot
    for arguments, message in (
        (["diagnose"], "MODEL is missing"),
        (["diagnose", digits, f"--device={DEVICE}"], "needs data"),
        (["diagnose", digits, "--device=rp2040,esp32", f"--data={digits_data}"], "expected one device"),
    ):
        code, _, err = run(*arguments)
        assert code == 2 and message in err
