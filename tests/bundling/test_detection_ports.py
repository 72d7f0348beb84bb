"""C and Kotlin find the detections that the evaluation finds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.needs import tool
from tests.scoring.test_heads import LAYOUTS, sample
from tflite_compress.bundling import detection_ports
from tflite_compress.bundling.detection_ports import c_detections, kotlin_detections
from tflite_compress.bundling.detections import Detections
from tflite_compress.models.output_parts import JoinedOutput, OutputParts
from tflite_compress.scoring.detector import find_detector
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
package tflitecompress.net

fun main() {
    val outputs = listOf(@@arrays)
    for (one in NetDetections.detect(outputs, 0.001f)) {
        println("${one.classNumber} ${one.score} ${one.xMin} ${one.yMin} ${one.xMax} ${one.yMax}")
    }
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


@pytest.mark.parametrize("layout", ["yolo v8 in pixels", "yolo v8 in two", "yolo v8 with logits", "yolo v5"])
def test_c_finds_what_the_evaluation_finds(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = LAYOUTS[layout][1]()
    detector, _ = find_detector(sample(outputs))
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


def test_other_heads_are_in_python_only(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = LAYOUTS["fomo"][1]()
    found = Detections(find_detector(sample(outputs))[0], described(outputs, monkeypatch))
    assert c_detections(found, b"", "net") is None
    assert kotlin_detections(found, b"", "net", "Net") is None
    assert c_detections(None, b"", "net") is None


@pytest.mark.slow
def test_kotlin_finds_what_the_evaluation_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = LAYOUTS["yolo v5 in three"][1]()
    detector, _ = find_detector(sample(outputs))
    source = kotlin_detections(Detections(detector, described(outputs, monkeypatch)), b"", "net", "Net")
    assert source is not None
    (tmp_path / "NetDetections.kt").write_bytes(source)
    (tmp_path / "Net.kt").write_text("package tflitecompress.net\n\nclass Net { fun run() {} }\n")
    arrays = ", ".join(f"floatArrayOf({numbers(x)})" for x in outputs)
    (tmp_path / "Main.kt").write_text(KOTLIN.replace("@@arrays", arrays))
    sources = ["NetDetections.kt", "Net.kt", "Main.kt"]
    command = [tool("kotlinc", "kotlin"), *sources, "-include-runtime", "-d", "net.jar"]
    subprocess.run(command, cwd=tmp_path, check=True)
    run = ["java", "-cp", "net.jar", "tflitecompress.net.MainKt"]
    found = rows(subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    expected = detector(outputs)[0]
    assert np.allclose(found, expected[expected[:, 0] >= 0], atol=1e-6)
