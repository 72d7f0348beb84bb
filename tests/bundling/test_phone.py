"""The Android bundle: Kotlin that compiles against LiteRT's interface, metadata the standard tools read."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bundling.test_gpu_parts import bundle as two_files
from tests.narrow import present
from tests.needs import tool
from tests.runtimes.stateful import accumulator, delay
from tests.timing.models import dense
from tflite_compress.bundling import float16, make_bundle
from tflite_compress.bundling.metadata import add_metadata
from tflite_compress.bundling.vectors import find_preprocessing
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.integrity import validate
from tflite_compress.tflite.tensor_specs import read_signature

STUBS = Path(__file__).parent / "stubs"
JSON = Path("/usr/share/java/com.android.json.jar")  # Debian's libandroid-json-java
Run = Callable[..., tuple[int, str, str]]
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
    entry = next(m for m in present(model.metadata) if m.name == b"TFLITE_METADATA")
    assert present(model.buffers[entry.buffer].data)[4:8].tobytes() == b"M001"
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
    assert [m.name for m in present(unpack(again).metadata)].count(b"TFLITE_METADATA") == 1


def test_vectors_for_kotlin(files: dict[str, bytes]) -> None:
    record: dict[str, Any] = json.loads(files["app/src/debug/assets/digits_vectors.json"])
    assert len(record["vectors"]) == 8 and record["tolerance"]["CPU"] == [1.0]
    assert [len(record["vectors"][0][k][0]) for k in ("inputs", "expected")] == [64, 10]


@pytest.mark.parametrize(
    ("device", "order", "kinds"),
    [("android-cpu", "CPU", {"CPU"}), ("android-npu", "NPU, NPU and CPU, CPU", {"CPU", "NPU"})],
)
def test_accelerators_are_tried_in_order(device: str, order: str, kinds: set[str]) -> None:
    content = dense(4)
    made = make_bundle(content, load_device(device), random_data(read_signature(content), 2), "m")
    assert f"LiteRT takes: {order}." in made["README.md"].decode()
    assert set(json.loads(made["app/src/debug/assets/m_vectors.json"])["tolerance"]) == kinds
    assert "litert-gpu:2.3.0" in made["build.gradle.kts"].decode()


def test_a_gpu_has_the_tolerance_of_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float16, "installed_driver", lambda: None)
    content = dense(4)
    made = make_bundle(content, load_device("android-gpu"), random_data(read_signature(content), 2), "m")
    allowed = json.loads(made["app/src/debug/assets/m_vectors.json"])["tolerance"]
    assert allowed["GPU"][0] > 10 * allowed["CPU"][0]
    assert "what rounding to float16 explains; not measured" in made["README.md"].decode()


@pytest.fixture(scope="module")
def jar(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle's Kotlin with replacements of LiteRT and Android, and the real org.json of Android."""
    folder = tmp_path_factory.mktemp("kotlin")
    tool("kotlinc", "kotlin")
    if not JSON.exists():
        tool("org.json", "libandroid-json-java")
    for name in files:
        if name.endswith(".kt"):
            (folder / Path(name).name).write_bytes(files[name])
    sources = [*sorted(folder.glob("*.kt")), *sorted((STUBS / "kotlin").glob("*.kt"))]
    built = folder / "check.jar"
    command = ["kotlinc", *map(str, sources), "-cp", str(JSON), "-include-runtime", "-d", str(built)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return built


def run_kotlin(
    jar: Path, files: dict[str, bytes], folder: Path, shift: int = 0, refused: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the class and its instrumented test; ``shift`` makes the first output of each run wrong."""
    java = tool("java", "default-jre-headless")
    for name in ("app/src/main/assets/digits.tflite", "app/src/debug/assets/digits_vectors.json"):
        (folder / Path(name).name).write_bytes(files[name])
    vectors = json.loads(files["app/src/debug/assets/digits_vectors.json"])["vectors"]
    answers = [[v["expected"][0][0] + shift, *v["expected"][0][1:]] for v in vectors]
    (folder / "answers").write_text("\n".join(" ".join(map(str, a)) for a in answers))
    paths = f"{jar}:{JSON}"
    command = [java, f"-Dassets={folder}", f"-Drefused={refused}", "-cp", paths, "CheckKt"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_the_kotlin_converts_checks_and_reports(
    jar: Path, files: dict[str, bytes], tmp_path: Path, run: Run
) -> None:
    ran = run_kotlin(jar, files, tmp_path, refused="NPU")
    assert ran.returncode == 0, ran.stderr
    raw, outputs, accelerators, *log = ran.stdout.splitlines()
    signature = read_signature(files["app/src/main/assets/digits.tflite"])
    pixels = np.arange(64, dtype=np.float32) * 4
    assert [int(v) for v in raw.split()] == signature.inputs[0].to_raw(pixels / 255).tolist()
    first = json.loads(files["app/src/debug/assets/digits_vectors.json"])["vectors"][0]["expected"][0]
    expected = signature.outputs[0].to_real(np.array(first, np.int8))
    assert [float(v) for v in outputs.split()] == pytest.approx(expected.tolist())
    assert accelerators == "NPU CPU" and "8 test vectors are as expected" in log[0]
    (tmp_path / "phone.txt").write_text("\n".join(line.removeprefix("tflite-compress: ") for line in log))
    code, out, err = run("benchmark", f"--from={tmp_path / 'phone.txt'}", "--json")
    assert code == 0, err
    record = json.loads(out)
    assert record["where"].startswith("Maker Phone 1 (chip), Android 15, 20")
    assert [t["name"] for t in record["on_device"]] == ["digits.tflite, NPU and CPU", "digits.tflite, CPU"]
    assert record["refused"] == [{"name": "digits.tflite, NPU", "why": "no NPU"}]
    digest = hashlib.sha256(files["app/src/main/assets/digits.tflite"]).hexdigest()
    assert record["on_device"][0]["sha256"] == digest


@pytest.mark.slow
def test_a_debug_build_refuses_wrong_outputs(jar: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    ran = run_kotlin(jar, files, tmp_path, shift=200)
    assert ran.returncode != 0
    assert "digits.tflite on NPU: outputs of 8 test vectors are wrong" in ran.stderr


@pytest.mark.slow
def test_the_kotlin_of_float_models_compiles(compressed: Path, tmp_path: Path) -> None:
    """One of a single file, and one whose post-processing is a file of its own."""
    compiler = tool("kotlinc", "kotlin")
    for path, content in two_files("android-gpu")[0].items():
        if path.endswith(".kt"):
            (tmp_path / Path(path).name).write_bytes(content)
    for source in (compressed / "android-gpu" / "bundle").rglob("*.kt"):
        (tmp_path / source.name).write_text(source.read_text())
    sources = [*sorted(tmp_path.glob("*.kt")), *sorted((STUBS / "kotlin").glob("*.kt"))]
    command = [compiler, *map(str, sources), "-cp", str(JSON), "-d", str(tmp_path / "check.jar")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", [accumulator, delay])
def test_vectors_of_a_model_with_state_are_one_sequence(model: Callable[[], bytes]) -> None:
    """LiteRT's CompiledModel keeps the state between runs."""
    content = model()
    data = random_data(read_signature(content), 4)
    files = make_bundle(content, load_device("android-cpu"), data, "stream")
    record = json.loads(files["app/src/debug/assets/stream_vectors.json"])
    first, second = (np.array(record["vectors"][i]["inputs"][0]) for i in (0, 1))
    expected = first + second if model is accumulator else [first.sum() + second.sum()]
    assert record["state"] == "sequence"
    assert np.allclose(record["vectors"][1]["expected"][0], expected, atol=1e-5)
    readme = files["README.md"].decode()
    assert "one sequence" in readme and ("variable tensors" in readme) == (model is delay)
