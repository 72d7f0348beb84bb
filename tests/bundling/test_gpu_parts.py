"""Bundles for a GPU that refuses the post-processing: two files, and code that runs both."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.tflite.pose_file import SIZE, pose_network
from tests.timing.models import dense
from tflite_compress.bundling import float16, gpu_parts, make_bundle
from tflite_compress.bundling.gpu_parts import run_parts, split_for_gpu
from tflite_compress.bundling.vectors import make_vectors
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.gpu import gpu_runtime
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.support.notes import Note
from tflite_compress.tflite.flatbuffer import operator_names
from tflite_compress.tflite.tensor_specs import read_signature

VECTORS = 2


Made = tuple[dict[str, bytes], list[Note]]


def bundle(device: str, keep_graph: bool = False, content: bytes | None = None) -> Made:
    """Make a bundle by the table; the slow test asks the accelerator."""
    content, notes = content or pose_network(), list[Note]()
    data = random_data(read_signature(content), VECTORS)
    with pytest.MonkeyPatch.context() as patch:
        for module in (float16, gpu_parts):
            patch.setattr(module, "installed_driver", lambda: None)
        made = make_bundle(
            content, load_device(device), data, "pose", keep_graph=keep_graph, say=notes.append
        )
    return made, notes


@pytest.fixture(scope="module")
def android() -> Made:
    return bundle("android-gpu")


def test_android_gets_two_files_and_code_for_both(android: Made) -> None:
    files, notes = android
    assert operator_names(files["app/src/main/assets/pose_tail.tflite"]) == ["GATHER_ND", "ADD"]
    assert "GATHER_ND" not in operator_names(files["app/src/main/assets/pose.tflite"])
    kotlin = files["app/src/main/java/tflitecompress/pose/Pose.kt"].decode()
    assert "tailInputs[1].writeInt(middle[1].readInt())" in kotlin and "middle[3].readFloat()" in kotlin
    readme = " ".join(files["README.md"].decode().split())
    assert "because the GPU refuses GATHER_ND" in readme and "passes 1,380 bytes on" in readme
    (note,) = notes
    assert note.code == "tail-split" and "--keep-graph" in note.text


def test_the_python_gives_the_expected_outputs(android: Made, tmp_path: Path) -> None:
    """The expected outputs are those of the whole file, bit for bit."""
    files, _ = android
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    spec = importlib.util.spec_from_file_location("run_both", tmp_path / "run_both.py")
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model()
    vectors = json.loads(files["app/src/debug/assets/pose_vectors.json"])["vectors"]
    assert len(vectors) == VECTORS
    for vector in vectors:
        image = np.array(vector["inputs"][0], np.float32).reshape(1, SIZE, SIZE, 3)
        found = [output.reshape(-1).tolist() for output in model.run([image])]
        assert found == vector["expected"]


def test_a_web_page_gets_two_files_on_the_gpu_only() -> None:
    files, _ = bundle("web-webgpu")
    record = json.loads(files["model.json"])["split"]
    assert record["passed"] == ["part_000", "part_001", "part_002"] and record["tail"] in files
    assert record["outputs"] == [{"part": "tail", "place": 0}, {"part": "head", "place": 3}]
    assert "SplitModel.load(split, 'webgpu')" in files["README.md"].decode()


@pytest.mark.parametrize(
    ("device", "keep_graph", "content"),
    [
        ("android-gpu", True, pose_network()),
        ("web-wasm", False, pose_network()),
        ("web-webgpu", False, dense(4)),
    ],
)
def test_bundles_with_one_file(device: str, keep_graph: bool, content: bytes) -> None:
    files, notes = bundle(device, keep_graph, content)
    assert sum(path.endswith(".tflite") for path in files) == 1 and notes == []
    assert not any(b"@@" in made for path, made in files.items() if not path.endswith(".tflite"))
    assert "its own" not in files["README.md"].decode()


@pytest.mark.slow
def test_the_command_says_that_there_are_two_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (float16, gpu_parts):
        monkeypatch.setattr(module, "installed_driver", lambda: None)
    (tmp_path / "pose.tflite").write_bytes(pose_network())
    code, _, err = run("bundle", "pose.tflite", "--device=android-gpu", f"--out={tmp_path / 'b'}")
    assert code == 0 and "the bundle has two files" in err


@pytest.mark.slow
def test_the_accelerator_computes_all_of_the_first_file(gpu_driver: Path) -> None:
    content = pose_network()
    vectors = make_vectors(content, random_data(read_signature(content), 3), host_runtime(seconds=0))
    parts = split_for_gpu(content, vectors)
    assert parts is not None and "GPU accelerator" in parts.source and parts.refused == ("GATHER_ND",)
    found = run_parts(parts.split, vectors.inputs, gpu_runtime())
    assert [note.code for note in found.notes] == ["gpu-whole"] and found.outputs is not None
    for output, expected in zip(found.outputs, vectors.expected, strict=True):
        np.testing.assert_allclose(output, expected, atol=0.05)
    assert split_for_gpu(dense(4), vectors) is None
