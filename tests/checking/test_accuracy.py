"""Accuracy of a file on labelled data, without the original model."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.checking.accuracy import measure_accuracy
from tflite_compress.checking.device_findings import judge_accuracy
from tflite_compress.data.raw import FileData
from tflite_compress.runtimes.run_result import RunResult
from tflite_compress.scoring.joint_output import HeadOptions
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature


def test_the_worst_output_is_measured() -> None:
    rng = np.random.default_rng(0)
    labels = tuple(rng.integers(0, 4, 100) for _ in range(2))
    outputs = [np.eye(4, dtype=np.float32)[each] for each in labels]
    outputs[1][:60] = np.roll(outputs[1][:60], 1, axis=-1)
    specs = tuple(FileTensorSpec(name, i, (1, 4), "FLOAT32", 0.0, 0) for i, name in enumerate("ab"))
    x = (np.zeros((100, 1), np.float32),)
    data = FileData(x, x, labels, "made up")
    accuracy = measure_accuracy(RunResult("here", tuple(outputs), ()), data, Signature((), specs))
    found = accuracy.measurement
    assert judge_accuracy(accuracy, 0.5).text.startswith("top1 40 % (30.9 % to 49.8 %), measured: output 'b'")
    assert judge_accuracy(accuracy, 0.5).text.endswith("; minimum 50 %")
    assert found.value == 0.4 and found.unit == "top1" and "output 'b', the worst of 2" in found.source
    assert found.low == pytest.approx(0.309, abs=1e-3) and found.high == pytest.approx(0.498, abs=1e-3)
    assert found.figure == "0.4 top1 (0.309 to 0.498)" and found.source.endswith("95 % interval")


def test_rare_decisions_are_not_hidden() -> None:
    """A map that is never set agrees with 98 % of the labels."""
    labels = (np.arange(20_000) % 50 == 0).astype(np.float32).reshape(20, 1000)
    spec = FileTensorSpec("map", 0, (1, 1000), "FLOAT32", 0.0, 0)
    silent = np.full((20, 1000), 0.1, np.float32)
    silent[:, 1] = 0.2
    x = (np.zeros((20, 1), np.float32),)
    data = FileData(x, x, (labels,), "made up")
    found = measure_accuracy(RunResult("here", (silent,), ()), data, Signature((), (spec,))).measurement
    assert (found.value, found.unit) == (0, "f1")


@pytest.mark.parametrize(("maximum", "fits"), [(0.6, True), (0.4, False)])
def test_an_error_is_compared_with_a_maximum(maximum: float, fits: bool) -> None:
    labels = (np.arange(20, dtype=np.float32)[:, np.newaxis],)
    spec = FileTensorSpec("value", 0, (1, 1), "FLOAT32", 0.0, 0)
    data = FileData(labels, labels, labels, "made up")
    shifted = RunResult("here", (labels[0] + np.float32(0.5),), ())
    accuracy = measure_accuracy(shifted, data, Signature((), (spec,)), "mae")
    found = judge_accuracy(accuracy, maximum)
    assert accuracy.measurement.value == 0.5 and found.fits is fits
    assert found.text.startswith("mae 0.5 (0.5 to 0.5), measured") and f"; maximum {maximum}" in found.text


def test_a_detector_is_scored_by_all_outputs_together() -> None:
    boxes, labels = np.zeros((3, 1, 8, 4)), np.full((3, 2, 5), -1.0)
    scores = np.zeros((3, 1, 8, 2))
    boxes[:, 0, 0], scores[:, 0, 0] = (32, 16, 16, 16), (0, 0.9)
    labels[:2, 0] = 1, 24 / 64, 8 / 64, 40 / 64, 24 / 64
    labels[2, 0] = 1, 0, 0, 1, 1
    images = np.zeros((3, 64, 64, 3))
    data = FileData((images,), (images,), (labels,), "boxes", has_boxes=True)
    specs = tuple(
        FileTensorSpec(name, i, (1, 8, width), "FLOAT32", 0.0, 0)
        for i, (name, width) in enumerate({"a": 4, "b": 2}.items())
    )
    result, signature = RunResult("here", (boxes, scores), ()), Signature((), specs)
    found = measure_accuracy(result, data, signature).measurement
    # Equal scores: two are right, then one is wrong.
    assert found.unit == "coco_map" and found.value == pytest.approx(67 / 101)
    head = HeadOptions("yolo-v8")
    named = measure_accuracy(result, data, signature, "map_50", "object-detection", head).measurement
    assert named.unit == "map_50"
