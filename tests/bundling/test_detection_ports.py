"""C and Kotlin find the detections that the evaluation finds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.needs import tool
from tests.scoring.test_heads import ANCHORS, LAYOUTS, sample
from tflite_compress.bundling import detection_ports
from tflite_compress.bundling.detection_ports import c_detections, kotlin_detections
from tflite_compress.bundling.detections import Detections
from tflite_compress.models.output_parts import JoinedOutput, OutputParts
from tflite_compress.scoring.detector import Detector, find_detector
from tflite_compress.scoring.head_registry import all_heads, head_template
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature

Outputs = tuple[np.ndarray, ...]
MAIN = """
#include <stdio.h>
#include "net_detections.h"

int main(void) {
  @@arrays
  const float* outputs[] = {@@names};
  net_detection found[100];
  const int count = net_detect(outputs, 0.001f, found, 100);
  for (int i = 0; i < count; ++i)
    printf("%d %.7g %.7g %.7g %.7g %.7g\\n", found[i].class_number, found[i].score, found[i].x_min,
           found[i].y_min, found[i].x_max, found[i].y_max);
  return 0;
}
"""
KOTLIN = """
    val outputs = listOf(@@arrays)
    for (one in tflitecompress.@@nameDetections.detect(outputs, 0.001f)) {
        println("${one.classNumber} ${one.score} ${one.xMin} ${one.yMin} ${one.xMax} ${one.yMax}")
    }
"""


def described(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Let the file have these outputs, and return their names."""
    names = tuple(f"output_{i}" for i in range(len(outputs)))
    pairs = enumerate(zip(names, outputs, strict=True))
    specs = tuple(FileTensorSpec(name, i, x.shape, "FLOAT32", 0.0, 0) for i, (name, x) in pairs)
    monkeypatch.setattr(detection_ports, "read_signature", lambda content: Signature((), specs))
    return names


def numbers(array: np.ndarray) -> str:
    return ", ".join(f"{value:.9e}f" for value in array.reshape(-1).tolist())


def rows(text: str) -> np.ndarray:
    return np.array([line.split() for line in text.splitlines() if line[:1].isdigit()], np.float64)


def in_c(header: bytes, outputs: Outputs, folder: Path) -> np.ndarray:
    names = [f"output_{i}" for i in range(len(outputs))]
    pairs = zip(names, outputs, strict=True)
    arrays = "".join(f"static const float {name}[] = {{{numbers(x)}}};\n" for name, x in pairs)
    (folder / "net_detections.h").write_bytes(header)
    (folder / "main.c").write_text(MAIN.replace("@@arrays", arrays).replace("@@names", ", ".join(names)))
    warnings = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    command = [tool("gcc", "gcc"), *warnings, "main.c", "-lm", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    return rows(subprocess.run(["./main"], cwd=folder, check=True, capture_output=True, text=True).stdout)


def detector_of(layout: str, outputs: Outputs, folder: Path) -> Detector:
    np.save(folder / "anchors.npy", ANCHORS)
    anchors = str(folder / "anchors.npy") if LAYOUTS[layout][0] == "ssd" else None
    return find_detector(sample(outputs, None, anchors))[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_c_finds_what_the_evaluation_finds(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = LAYOUTS[layout][1]()
    detector = detector_of(layout, outputs, tmp_path)
    header = c_detections(Detections(detector, described(outputs, monkeypatch)), b"", "net")
    assert header is not None
    found, expected = in_c(header, outputs, tmp_path), detector(outputs)[0]
    expected = expected[expected[:, 0] >= 0]
    assert len(found) == len(expected) and np.allclose(found, expected, atol=1e-6)


def test_c_joins_the_parts_of_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = LAYOUTS["yolo v8 in pixels"][1]()
    parts = whole[:, 4:], whole[:, :4]
    detector, _ = find_detector(sample((whole,)))
    second, first = described(parts, monkeypatch)
    joined = (JoinedOutput("all", OutputParts(1, (first, second))),)
    header = c_detections(Detections(detector, ("all",), joined), b"", "net")
    assert header is not None
    assert np.allclose(in_c(header, parts, tmp_path), detector((whole,))[0, :2], atol=1e-6)


def test_c_reads_parts_of_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of two scales, each with its scores, as YOLO concatenates them."""
    (whole,) = LAYOUTS["yolo v8 as rows"][1]()
    parts = whole[:, :4, :4], whole[:, :4, 4:], whole[:, 4:, :4], whole[:, 4:, 4:]
    detector, _ = find_detector(sample((whole,)))
    names = described(parts, monkeypatch)
    scales = OutputParts(2, names[:2]), OutputParts(2, names[2:])
    joined = (JoinedOutput("all", OutputParts(1, scales)),)
    header = c_detections(Detections(detector, ("all",), joined), b"", "net")
    assert header is not None
    assert np.allclose(in_c(header, parts, tmp_path), detector((whole,))[0, :2], atol=1e-6)


def test_random_outputs_give_the_same_in_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Softmax of cells, objects of several cells, and peaks among neighbours."""
    rng = np.random.default_rng(0)
    for layout in ("fomo", "center-net"):
        shapes = [output.shape for output in LAYOUTS[layout][1]()]
        outputs = tuple(rng.normal(0, 3, shape).astype(np.float32) for shape in shapes)
        detector = detector_of(layout, outputs, tmp_path)
        header = c_detections(Detections(detector, described(outputs, monkeypatch)), b"", "net")
        assert header is not None
        found, expected = in_c(header, outputs, tmp_path), detector(outputs)[0]
        expected = expected[expected[:, 0] >= 0]
        assert len(found) == len(expected) > 5 and np.allclose(found, expected, atol=1e-5)


def test_a_users_function_and_other_models_have_none() -> None:
    own = Detector("own:decode", lambda outputs: (outputs[0], outputs[0]), 0.6)
    for found in (None, Detections(own, ("a",))):
        assert c_detections(found, b"", "net") is None
        assert kotlin_detections(found, b"", "net", "Net") is None


def test_each_head_has_templates() -> None:
    for head in all_heads().values():
        assert head.port is not None
        assert all(head_template(head.name, suffix).is_file() for suffix in (".h", ".kt"))


@pytest.mark.slow
def test_kotlin_finds_what_the_evaluation_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All layouts in one compilation, which takes most of the time."""
    sources, calls, expected = [], [], []
    for index, layout in enumerate(LAYOUTS):
        outputs = LAYOUTS[layout][1]()
        detector = detector_of(layout, outputs, tmp_path)
        found = Detections(detector, described(outputs, monkeypatch))
        code = kotlin_detections(found, b"", f"net{index}", f"Net{index}")
        assert code is not None
        for name, text in (
            (f"Net{index}Detections.kt", code.decode()),
            (
                f"Net{index}.kt",
                f"package tflitecompress.net{index}\n\nclass Net{index} {{ fun run() {{}} }}\n",
            ),
        ):
            (tmp_path / name).write_text(text)
            sources.append(name)
        arrays = ", ".join(f"floatArrayOf({numbers(x)})" for x in outputs)
        detections = detector(outputs)[0]
        expected.append(detections[detections[:, 0] >= 0])
        calls.append(KOTLIN.replace("@@arrays", arrays).replace("@@name", f"net{index}.Net{index}"))
    body = "".join(f"fun run{i}() {{{call}}}\n" for i, call in enumerate(calls))
    run_all = " ".join(f"run{i}();" for i in range(len(calls)))
    (tmp_path / "Main.kt").write_text(f"{body}\nfun main() {{ {run_all} }}\n")
    command = [tool("kotlinc", "kotlin"), *sources, "Main.kt", "-include-runtime", "-d", "net.jar"]
    subprocess.run(command, cwd=tmp_path, check=True)
    run = ["java", "-cp", "net.jar", "MainKt"]
    printed = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert np.allclose(rows(printed), np.concatenate(expected), atol=1e-6)
