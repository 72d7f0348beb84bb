from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

import tflite_compress
from tflite_compress.reporting.detail_figures import LayerBytes, OperatorRow, OperatorTimes
from tflite_compress.reporting.details import layer_bytes, single_times
from tflite_compress.reporting.histograms import histogram
from tflite_compress.reporting.model import Report, decode_report
from tflite_compress.reporting.network_operators import read_operators
from tflite_compress.reporting.page_plots import histogram_plot
from tflite_compress.reporting.pictures import are_images


@pytest.fixture(scope="module")
def report(compressed: Path) -> Report:
    return decode_report((compressed / "arduino-nano-33-ble" / "report.json").read_bytes())


def test_weights_by_layer_are_those_of_the_model(report: Report) -> None:
    shapes = {"conv_1": 9 * 24, "conv_2": 9 * 24 * 48, "conv_3": 9 * 48 * 32, "hidden": 2048, "digit": 640}
    assert report.details is not None
    rows = {row.layer: row for row in report.details.layers}
    assert set(rows) == set(shapes)
    for name, weights in shapes.items():
        assert rows[name] == LayerBytes(layer=name, before=4 * weights, after=weights)


def test_layers_only_one_file_has(compressed: Path) -> None:
    content = (compressed / "arduino-nano-33-ble" / "digits.tflite").read_bytes()
    assert all(row.before == row.after for row in layer_bytes(content, content))


def test_operators_have_the_keras_layers_names(report: Report) -> None:
    assert report.details is not None and report.details.operator_times is not None
    times = report.details.operator_times
    assert "prefixes" in times.method and times.total_ms > 0
    convolutions = [row.layer for row in times.rows if row.operator == "CONV_2D"]
    assert convolutions == ["conv_1", "conv_2", "conv_3"]


def test_operators_with_float16_weights_are_timed_alone(compressed: Path) -> None:
    content = (compressed / "android-gpu" / "digits.tflite").read_bytes()
    indices = [op.index for op in read_operators(content)]
    row = OperatorRow(operator="", layer="", ms=1.0, is_above_noise=True, macs=None, gmacs_per_s=None)
    times = OperatorTimes(
        method="", source="", total_ms=1.0, rows=tuple(replace(row, index=index) for index in indices)
    )
    assert indices[0] > 0  # weights are unpacked before
    assert single_times(content, times) == dict.fromkeys(indices, 1.0)
    without = replace(times, rows=times.rows[:1] + times.rows[2:])  # the second is timed with the third
    assert list(single_times(content, without)) == [
        index for n, index in enumerate(indices) if n not in (1, 2)
    ]


def test_the_worst_layers_hold_what_the_file_holds(report: Report) -> None:
    assert report.details is not None
    worst = report.details.worst_layers
    assert len(worst) == 3 and list(worst) == sorted(worst, key=lambda la: -la.added_noise)
    for layer in worst:
        assert layer.range is not None
        low, high = layer.range
        assert low <= layer.activations.low + 1e-6 or layer.clipped > 0
        assert layer.activations.high <= high * 1.01 or layer.clipped > 0
        for found in (layer.activations, layer.weights):
            if found is not None:
                assert sum(found.before) == pytest.approx(1)
                assert sum(found.after) == pytest.approx(1)
    assert any(layer.weights is not None for layer in worst)


def test_histograms() -> None:
    found = histogram(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    assert (found.low, found.high) == (0, 1)
    assert found.before[0] == pytest.approx(2 / 3) and found.after[-1] == pytest.approx(2 / 3)
    constant = histogram(np.full(5, 3.0), np.full(5, 3.0))
    assert constant.low < 3 < constant.high and sum(constant.before) == 1


def test_shares_are_labelled_with_plain_numbers() -> None:
    found = histogram(np.arange(1000.0) ** 2, np.arange(1000.0) ** 2)
    plot = histogram_plot(found, "activations of conv", (0, 500)) or ""
    labels = re.findall(r">([^<>]+)</text>", plot)
    assert {"1", "0.1", "0.01", "share of values", "activations of conv"} <= set(labels)
    one = histogram_plot(histogram(np.ones(4), np.ones(4)), "one value") or ""
    flat = re.findall(r">([^<>]+)</text>", one)
    assert {"1", "0.1"} <= set(flat)


def test_images_are_those_of_the_data(report: Report, digits_arrays: Any) -> None:
    from PIL import Image

    assert report.details is not None and report.details.pictures
    for picture in report.details.pictures:
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.png.split(",")[1]))))
        sample = digits_arrays["x_test"][picture.sample][..., 0]
        assert np.corrcoef(shown.reshape(-1), sample.reshape(-1))[0, 1] > 0.99
        assert picture.label == str(digits_arrays["y_test"][picture.sample])


def test_what_counts_as_an_image() -> None:
    assert are_images(np.zeros((4, 8, 8, 3))) and are_images(np.zeros((4, 28, 28, 1)))
    assert not any(are_images(np.zeros(s)) for s in [(4, 8, 8), (4, 8, 8, 2), (4, 2, 2, 1), (4, 10)])


def test_memory_before_and_after(report: Report) -> None:
    before, after = report.memory.baseline, report.memory.result
    assert before is not None and after is not None
    assert before.unit == "bytes" and 1.5 * after.value < before.value < 8 * after.value


@pytest.mark.slow
def test_pages_can_be_left_out(digits: Path, digits_data: Path, tmp_path: Path) -> None:
    result = tflite_compress.compress(
        digits, "android-gpu", data=digits_data, out=tmp_path / "o", details=False, latency_seconds=0.05
    )
    assert result.report.details is None
    assert not (tmp_path / "o" / "report.html").exists() and (tmp_path / "o" / "report.json").exists()


def test_the_model_card(compressed: Path) -> None:
    card = (compressed / "arduino-nano-33-ble" / "MODEL_CARD.md").read_text()
    manifest = json.loads((compressed / "arduino-nano-33-ble" / "manifest.json").read_text())
    assert card.startswith("# Model card: digits.tflite")
    assert manifest["model"]["sha256"] in card and manifest["data"]["evaluate"]["sha256"][:16] in card
    assert "| evaluate |" in card and "To be written by the model's owner" in card
