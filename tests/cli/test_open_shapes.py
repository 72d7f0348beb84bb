"""Models and files whose inputs leave other dimensions than the batch open."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tflite_compress as tc
from tests.conftest import Run
from tests.runtimes.test_resize_file import open_file  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def mixed_model(keras: ModuleType) -> Any:
    """An image of any size, tokens and a signal of any length."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    signal = keras.Input((None, 5), name="signal")
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    read = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(tokens))
    heard = keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(4, 3)(signal))
    merged = keras.layers.Concatenate()([seen, read, heard])
    return keras.Model([image, tokens, signal], keras.layers.Dense(3, activation="softmax")(merged))


@pytest.fixture
def mixed_data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(24, 8, 9, 3)).astype(np.float32),
        "tokens": rng.integers(0, 20, (24, 7)).astype(np.int32),
        "signal": rng.normal(size=(24, 6, 5)).astype(np.float32),
    }


def test_sizes_come_from_the_data(mixed_model: Any, mixed_data: dict[str, np.ndarray]) -> None:
    lite = tc.convert(mixed_model, tc.Int8(), calibration=mixed_data)
    assert {s.name: s.shape for s in lite.signature.inputs} == {
        "image": (1, 8, 9, 3), "tokens": (1, 7), "signal": (1, 6, 5),
    }  # fmt: skip
    (note,) = [note for note in lite.notes if note.code == "open-dimensions-fixed"]
    assert "'image' ? x ? x 3 became 8 x 9 x 3" in note.text and "'tokens' ? became 7" in note.text
    expected = np.asarray(mixed_model(list(mixed_data.values())))
    assert np.abs(lite.predict(mixed_data) - expected).mean() < 0.02


def test_chosen_sizes_are_fixed_and_no_choice_stays_open(
    mixed_model: Any, mixed_data: dict[str, np.ndarray]
) -> None:
    chosen = {"image": (8, 9, 3), "tokens": (7,), "signal": (6, 5)}
    fixed = tc.convert(mixed_model, tc.Float16(), input_shape=chosen)
    assert {s.name: s.shape[1:] for s in fixed.signature.inputs} == chosen
    opened = tc.convert(mixed_model, tc.Float16())
    assert {s.name: s.shape[1:] for s in opened.signature.inputs} == {
        "image": (-1, -1, 3), "tokens": (-1,), "signal": (-1, 5),
    }  # fmt: skip
    expected = np.asarray(mixed_model(list(mixed_data.values())))
    np.testing.assert_allclose(fixed.predict(mixed_data), expected, atol=5e-3)
    np.testing.assert_allclose(opened.predict(mixed_data), expected, atol=5e-3)


def test_without_data_the_hint_gives_sizes_that_work(run: Run, keras: ModuleType, tmp_path: Path) -> None:
    image = keras.Input((None, None, 3), name="image")
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save(tmp_path / "open.keras")
    arguments = ("compress", "open.keras", "--device=raspberry-pi-4", "--recipe=float16", "--no-details")
    code, _, errors = run(*arguments)
    assert code == 2 and "input 'image' (batch x ? x ? x 3) has open" in errors
    shape = errors.split("--input-shape=")[1].split()[0].rstrip(".")
    code, _, _ = run(*arguments, f"--input-shape={shape}", "--out=out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert code == 0 and report["size"]["result"]["bytes"] > 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["arguments"]["options"]["input_shape"]


@pytest.mark.slow
def test_commands_on_a_file_take_sizes_from_data_or_option(
    run: Run,
    open_file: bytes,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "open.tflite").write_bytes(open_file)
    x = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    code, _, errors = run("verify", "open.tflite")
    assert (
        code == 2
        and "input 'image' (batch x ? x ? x 3) has open" in errors
        and "--input-shape=64x64x3" in errors
    )
    code, out, errors = run("verify", "open.tflite", "--data=x.npz", "--json")
    assert code == 0 and "'image' 32 x 32 x 3" in errors
    code, out, _ = run("check", "open.tflite", "--device=rp2040", "--input-shape=32x32x3", "--json")
    findings = {f["subject"]: f for f in json.loads(out)[0]["findings"]}
    assert code == 1 and findings["shapes"]["fits"] is False and findings["runs"]["fits"] is True
    code, out, _ = run("inspect", "open.tflite", "--input-shape=32x32x3", "--json")
    assert code == 0 and json.loads(out)["macs"] == 13 * 13 * 4 * 20 * 20 * 3 + 6 * 6 * 4
    code, _, _ = run("bundle", "open.tflite", "--device=rp2040", "--data=x.npz", "--out=b")
    assert code == 0
    assert run("benchmark", "open.tflite", "--seconds=0.05", "--kernels=xnnpack", "--data=x.npz")[0] == 0
    assert run("profile", "open.tflite", "--seconds=0.05", "--input-shape=24x24x3")[0] == 0
