"""Bundles of models with several inputs and outputs, whole-number inputs, and recurrent layers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.bundling.test_microcontroller import compile_, sources
from tests.needs import tool
from tests.samples import random_samples
from tflite_compress.bundling import make_bundle
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.data.raw import random_data
from tflite_compress.models.load import load_model
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes import vela
from tflite_compress.support.errors import UsageError
from tflite_compress.tflite.tensor_specs import read_signature


def build(model: Any) -> bytes:
    network = load_model(model).network
    settings = ConverterSettings(precision="int8", integer_io=True)
    return convert_network(network, settings, random_samples(network, 16), lambda n: None)[0]


@pytest.fixture(scope="module")
def files(keras: ModuleType) -> dict[str, bytes]:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    left, right = keras.Input((6,), name="left"), keras.Input((4, 4, 2), name="right")
    both = layers.Concatenate()([layers.Dense(4)(left), layers.Flatten()(layers.Conv2D(3, 2)(right))])
    two = keras.Model(
        [left, right], [layers.Dense(2, name="small")(both), layers.Dense(5, name="large")(both)]
    )
    words = keras.Sequential(
        [
            keras.Input((5,), dtype="int32", name="words"),
            layers.Embedding(9, 4),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    return {"two": build(two), "words": build(words)}


@pytest.mark.parametrize("name", ["two", "words"])
def test_cpp_compiles_and_its_helpers_are_right(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    content = files[name]
    data = random_data(read_signature(content), 8)
    for path, written in make_bundle(content, load_device("rp2040"), data, "1-my model", ()).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(written)
    compiler = tool("g++", "g++")
    for source in sources(tmp_path):
        compile_([compiler, "-fsyntax-only"], tmp_path, source)
    program = tmp_path / "check"
    compile_(
        [compiler, "-o", str(program)],
        tmp_path,
        tmp_path / "helpers_check.cc",
        tmp_path / "src/model_1_my_model_vectors.cc",
    )
    assert subprocess.run([program], capture_output=True).returncode == 0
    settings = (tmp_path / "src/model_1_my_model_settings.h").read_text()
    assert f"kInputs = {len(read_signature(content).inputs)};" in settings
    assert ("using Input0 = int32_t" in settings) == (name == "words")


@pytest.mark.parametrize("device", ["alif-ensemble-e7", "nxp-imx93"])
def test_without_vela_the_rest_of_the_bundle_is_there(
    files: dict[str, bytes], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise UsageError("Arm's Vela compiler is not installed", "Install it.")

    data = random_data(read_signature(files["two"]), 8)
    whole = make_bundle(files["two"], load_device(device), data, "two")
    monkeypatch.setattr(vela, "_vela", missing)
    rest = make_bundle(files["two"], load_device(device), data, "two")
    assert "Vela compiler is not installed. Install it." in rest["README.md"].decode()
    assert set(rest) < set(whole) and all("vela" in p or p.startswith("npu/") for p in set(whole) - set(rest))


@pytest.mark.parametrize("device", ["android-npu", "raspberry-pi-5"])
@pytest.mark.parametrize("name", ["two", "words"])
def test_other_bundles_take_every_kind(files: dict[str, bytes], name: str, device: str) -> None:
    content = files[name]
    made = make_bundle(content, load_device(device), random_data(read_signature(content), 8), name)
    readme = made["README.md"].decode()
    assert "@@" not in readme and "8 test vectors" in readme
    kotlin = "".join(text.decode() for path, text in made.items() if path.endswith(".kt"))
    if device == "android-npu":
        assert kotlin.count("FloatArray,") + kotlin.count("FloatArray)") >= len(
            read_signature(content).inputs
        )
        assert ("writeInt(" in kotlin) == (name == "words")
    assert not any(
        "@@" in text.decode() for path, text in made.items() if path.endswith((".kt", ".service", ".kts"))
    )
