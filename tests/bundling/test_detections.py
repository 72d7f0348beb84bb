"""The post-processing in a bundle finds what the evaluation finds, for every head."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from tests.scoring.test_heads import ANCHORS, LAYOUTS, sample
from tflite_compress.bundling import detections as bundled
from tflite_compress.bundling.detections import Detections, detection_files
from tflite_compress.models.output_parts import JoinedOutput, OutputParts
from tflite_compress.scoring.detector import Detector, find_detector
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature

Outputs = tuple[np.ndarray, ...]


def names_of(outputs: Outputs) -> tuple[str, ...]:
    return tuple(f"output_{i}" for i in range(len(outputs)))


def detected(
    found: Detections, names: tuple[str, ...], outputs: Outputs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    """Run the file of the bundle on outputs of the file."""
    specs = tuple(FileTensorSpec(name, i, (1,), "FLOAT32", 0.0, 0) for i, name in enumerate(names))
    monkeypatch.setattr(bundled, "read_signature", lambda content: Signature((), specs))
    (folder / "postprocess.py").write_bytes(detection_files(found, b"")["postprocess.py"])
    program = runpy.run_path(str(folder / "postprocess.py"))
    detections: np.ndarray = program["detect_all"](list(outputs), found.detector.min_score)
    return detections


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_head_is_in_the_bundle(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, make = LAYOUTS[layout]
    np.save(tmp_path / "anchors.npy", ANCHORS)
    anchors = str(tmp_path / "anchors.npy") if head == "ssd" else None
    detector, _ = find_detector(sample(make(), None, anchors))
    names = names_of(make())
    found = detected(Detections(detector, names), names[::-1], make()[::-1], tmp_path, monkeypatch)
    assert np.array_equal(found, detector(make())) and (found[..., 0] >= 0).sum() >= 2


def test_outputs_in_parts_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = LAYOUTS["yolo v8 in pixels"][1]()
    detector, _ = find_detector(sample((whole,)))
    joined = (JoinedOutput("all", OutputParts(1, ("boxes", "scores"))),)
    parts = whole[:, 4:], whole[:, :4]
    found = Detections(detector, ("all",), joined)
    detections = detected(found, ("scores", "boxes"), parts, tmp_path, monkeypatch)
    assert np.array_equal(detections, detector((whole,)))


def test_a_users_function_is_left_to_the_user() -> None:
    own = Detector("own:decode", lambda outputs: (outputs[0], outputs[0]), 0.6)
    assert detection_files(Detections(own, ("a",)), b"") == {}
