"""Diagnosis of a float model for a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scoring.test_gpu_score import two_convolutions
from tflite_compress.compression.options import Options
from tflite_compress.data.gather import DataSpec
from tflite_compress.diagnosis.diagnose import diagnose
from tflite_compress.diagnosis.float16_culprits import find_float16_culprits
from tflite_compress.inspection.float16_layers import compare_in_float16
from tflite_compress.inspection.float16_peaks import measure_peaks
from tflite_compress.support.progress import Silent
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.layer_names import NO_LAYERS


def two_layers() -> bytes:
    """Return two dense layers, of which the second sums up to 400,000."""
    made = Assembly("test")
    x = made.tensor("x", (1, 8), "float32")
    for name, scale in (("first", 1.0), ("second", 50_000.0)):
        kernel = made.constant(f"{name}_kernel", np.full((8, 8), scale, np.float32))
        options = made.options("FullyConnectedOptions")
        x = made.operator("FULLY_CONNECTED", [x, kernel], name, (1, 8), "float32", options)
    return made.finished({"x": 0}, {"y": x})


def test_layers_beyond_the_range_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the accelerator, the rounding of each layer is simulated, and the note says so."""
    monkeypatch.setenv("TFLITE_COMPRESS_GPU", str(tmp_path))
    content, inputs = two_layers(), (np.random.default_rng(0).random((4, 8)).astype(np.float32),)
    found = compare_in_float16(content, inputs, ("x",), NO_LAYERS)
    assert [note.code for note in found.notes] == ["gpu-not-measured"]
    first, second = found.layers
    assert 65 < first.snr_db < 85 and first.clipped == 0
    assert second.snr_db == 0 and second.clipped == 1 and second.cosine == 0
    peaks = measure_peaks(content, inputs, ("x",))
    culprit, *_ = find_float16_culprits(content, peaks, found.layers, NO_LAYERS)
    assert culprit.layer == "second" and "repair-float16" in culprit.do
    assert "float16 holds 65,504" in culprit.why


@pytest.mark.slow
def test_the_layer_is_named_on_the_accelerator(gpu_driver: Path, keras2: Any) -> None:
    keras2.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((40, 8, 8, 3)).astype(np.float32)
    spec = DataSpec(x)
    found = diagnose(two_convolutions(keras2), "android-gpu", None, spec, Options(), {}, Silent())
    assert found.precision == "float16" and not found.is_harmless
    assert found.culprits[0].layer == "second" and "repair-float16" in found.culprits[0].do
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["first"].snr_db > 50 and by_name["second"].snr_db < 1
    assert [note.code for note in found.notes] == ["beyond-float16"]


def test_the_gpu_of_the_machine_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one, the note says so."""
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere/icd.json")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nowhere/icd.json")
    inputs = (np.random.default_rng(0).random((4, 8)).astype(np.float32),)
    (note,) = compare_in_float16(two_layers(), inputs, ("x",), NO_LAYERS, "device").notes
    assert note.code == "gpu-not-measured" and "finds no usable GPU" in note.text
