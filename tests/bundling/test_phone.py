"""The Android bundle: Kotlin that compiles against LiteRT's interface, metadata the standard tools read."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import tool
from tests.runtimes.stateful import accumulator, delay
from tflite_compress.bundling import make_bundle
from tflite_compress.bundling.metadata import add_metadata
from tflite_compress.bundling.vectors import find_preprocessing
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.integrity import validate
from tflite_compress.tflite.tensor_specs import read_signature

STUBS = Path(__file__).parent / "stubs"
LABELS = tuple("zero one two three four five six seven eight nine".split())
READ = """
import json, sys
from tflite_support import metadata
shown = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
print(json.dumps([json.loads(shown.get_metadata_json()), shown.get_packed_associated_file_list(),
                  shown.get_associated_file_buffer("labels.txt").decode()]))
"""


@pytest.fixture(scope="module")
def files(int8_file: Path) -> dict[str, bytes]:
    content = int8_file.read_bytes()
    data = random_data(read_signature(content), 8)
    device = load_device("android-npu")
    return make_bundle(content, device, data, "digits", LABELS, find_preprocessing("unit"))


def test_the_metadata_are_where_the_format_says(files: dict[str, bytes], tmp_path: Path) -> None:
    content = files["app/src/main/assets/digits.tflite"]
    model = validate(content)
    entry = next(m for m in model.metadata if m.name == b"TFLITE_METADATA")
    assert bytes(model.buffers[entry.buffer].data)[4:8] == b"M001"
    path = tmp_path / "digits.tflite"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split() == list(LABELS)


@pytest.mark.slow
def test_the_standard_tool_reads_the_metadata(files: dict[str, bytes], tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "tflite-support==0.4.4", "numpy<2"], check=True)
    model = tmp_path / "digits.tflite"
    model.write_bytes(files["app/src/main/assets/digits.tflite"])
    done = subprocess.run([python, "-c", READ, model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metadata, packed, labels = json.loads(done.stdout)
    assert metadata["name"] == "digits" and packed == ["labels.txt"] and labels.split() == list(LABELS)
    graph = metadata["subgraph_metadata"][0]
    image, digit = graph["input_tensor_metadata"][0], graph["output_tensor_metadata"][0]
    assert image["content"]["content_properties"] == {"color_space": "GRAYSCALE"}
    assert image["process_units"][0]["options"] == {"mean": [0.0], "std": [255.0]}
    assert digit["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"


def test_metadata_change_no_output(files: dict[str, bytes], int8_file: Path) -> None:
    content = int8_file.read_bytes()
    data = random_data(read_signature(content), 4)
    embedded = files["app/src/main/assets/digits.tflite"]
    before, after = (host_runtime(seconds=0)(c, data.raw).outputs for c in (content, embedded))
    assert before is not None and after is not None and np.array_equal(before[0], after[0])


def test_metadata_written_twice_are_there_once(int8_file: Path) -> None:
    ports = read_signature(int8_file.read_bytes())
    again = int8_file.read_bytes()
    for _ in range(2):
        again = add_metadata(again, "m", ports, find_preprocessing("none"), ())
    assert [m.name for m in unpack(again).metadata].count(b"TFLITE_METADATA") == 1


def test_vectors_for_kotlin(files: dict[str, bytes]) -> None:
    record: dict[str, Any] = json.loads(files["app/src/androidTest/assets/digits_vectors.json"])
    assert len(record["vectors"]) == 8 and record["tolerance"] == [1.0]
    assert [len(record["vectors"][0][k][0]) for k in ("inputs", "expected")] == [64, 10]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "float"])
def test_the_kotlin_compiles_and_converts(
    files: dict[str, bytes], compressed: Path, tmp_path: Path, kind: str
) -> None:
    """Compiled with stand-ins of LiteRT and Android; the int8 class also runs against a fake interpreter."""
    compiler = tool("kotlinc", "kotlin")
    if kind == "int8":
        for name in files:
            if name.endswith(".kt"):
                (tmp_path / Path(name).name).write_bytes(files[name])
    else:
        for source in (compressed / "android-gpu" / "bundle").rglob("*.kt"):
            (tmp_path / source.name).write_text(source.read_text())
    sources = [*sorted(tmp_path.glob("*.kt")), *sorted((STUBS / "kotlin").glob("*.kt"))]
    jar = tmp_path / "check.jar"
    command = [compiler, *map(str, sources), "-include-runtime", "-d", str(jar)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if kind == "int8":
        java = tool("java", "default-jre-headless")
        ran = subprocess.run([java, "-cp", jar, "CheckKt"], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        content = files["app/src/main/assets/digits.tflite"]
        port = read_signature(content).inputs[0]
        pixels = np.arange(64, dtype=np.float32) * 4
        raw = [int(v) for v in ran.stdout.splitlines()[0].split()]
        assert raw == port.to_raw(pixels / 255).tolist()
        outputs = read_signature(content).outputs[0]
        expected = outputs.to_real(np.arange(-128, -118, dtype=np.int8))
        assert [float(v) for v in ran.stdout.splitlines()[1].split()] == pytest.approx(expected.tolist())


@pytest.mark.parametrize("model", [accumulator, delay])
def test_vectors_of_a_model_with_state_are_one_sequence(model: Callable[[], bytes]) -> None:
    """LiteRT's CompiledModel keeps the state between runs."""
    content = model()
    data = random_data(read_signature(content), 4)
    files = make_bundle(content, load_device("android-cpu"), data, "stream")
    record = json.loads(files["app/src/androidTest/assets/stream_vectors.json"])
    first, second = (np.array(record["vectors"][i]["inputs"][0]) for i in (0, 1))
    expected = first + second if model is accumulator else [first.sum() + second.sum()]
    assert record["state"] == "sequence"
    assert np.allclose(record["vectors"][1]["expected"][0], expected, atol=1e-5)
    readme = files["README.md"].decode()
    assert "one sequence" in readme and ("variable tensors" in readme) == (model is delay)
