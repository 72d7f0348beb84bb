"""The Raspberry Pi bundle runs where only numpy and ai-edge-litert are, also on the emulated Pi."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.needs import tool
from tests.runtimes.stateful import accumulator, delay
from tflite_compress.runtimes import emulator as emulation


@pytest.fixture
def bundle(compressed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compressed / "raspberry-pi-4" / "bundle", tmp_path / "bundle"))


def self_test(bundle: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "run_model.py", "digits.tflite", "--seconds=0", *more]
    return subprocess.run(command, cwd=bundle, capture_output=True, text=True)


def test_the_self_test_passes(bundle: Path) -> None:
    done = self_test(bundle)
    assert done.returncode == 0 and "allowed 0.00390625: ok" in done.stdout, done.stderr
    with np.load(bundle / "vectors.npz") as vectors:
        assert len(vectors["input_0"]) == len(vectors["expected_0"]) == 8


def test_the_self_test_finds_a_wrong_model(bundle: Path) -> None:
    with np.load(bundle / "vectors.npz") as archive:
        vectors = dict(archive)
    vectors["expected_0"] = vectors["expected_0"] + 0.01
    np.savez(bundle / "vectors.npz", **vectors)
    done = self_test(bundle)
    assert done.returncode == 1 and "DIFFERENT" in done.stdout


@pytest.mark.slow
def test_the_self_test_passes_on_the_emulated_pi(bundle: Path, emulator: Path) -> None:
    command = emulation.python_command("run_model.py", "digits.tflite", "--seconds=0")
    done = subprocess.run(command, cwd=bundle, env=emulation.environment(), capture_output=True, text=True)
    assert done.returncode == 0 and "ok" in done.stdout, done.stderr


def test_the_bundled_class_predicts_a_digit(bundle: Path, digits_arrays: dict[str, np.ndarray]) -> None:
    program = (
        "import numpy as np; from run_model import Model; model = Model('digits.tflite', threads=2); "
        "print(model.run(np.load('x.npy'))[0].argmax())"
    )
    image = digits_arrays["x_test"][:1]
    np.save(bundle / "x.npy", image)
    done = subprocess.run([sys.executable, "-c", program], cwd=bundle, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == int(digits_arrays["y_test"][0])


def test_systemd_accepts_the_service_file(bundle: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    done = subprocess.run([analyze, "verify", bundle / "digits.service"], capture_output=True, text=True)
    unknown = [line for line in done.stderr.splitlines() if "digits.service" in line and "Unknown" in line]
    assert not unknown, done.stderr


@pytest.mark.parametrize("model", [accumulator, delay])
def test_models_with_state_run_fresh_and_as_a_stream(
    run: Run, model: Callable[[], bytes], tmp_path: Path
) -> None:
    """The program of the bundle, as on the board: `run` starts afresh, `stream` goes on."""
    path = tmp_path / "model.tflite"
    path.write_bytes(model())
    assert run("bundle", path, "--device=raspberry-pi-4", f"--out={tmp_path / 'out'}")[0] == 0
    out = tmp_path / "out"
    program = (
        "import numpy as np; from run_model import Model; model = Model('model.tflite'); "
        "ones = np.ones((1, 4), np.float32); "
        "one = lambda call: float(call(ones)[0].flat[0]); "
        "print([one(model.run), one(model.run), one(model.stream), one(model.stream), one(model.run)]); "
        "model.reset(); print([one(model.stream), one(model.stream)])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    unit = 1 if model is accumulator else 4
    fresh, stream = (eval(line) for line in done.stdout.splitlines())
    assert fresh == [unit, unit, 2 * unit, 3 * unit, unit] and stream == [unit, 2 * unit]
    command = [sys.executable, "-I", "run_model.py", "model.tflite", "--seconds=0"]
    checked = subprocess.run(command, cwd=out, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "from a fresh state: largest difference 0" in checked.stdout
    assert "as one sequence: largest difference 0" in checked.stdout
    assert "model.stream(frame)" in (out / "README.md").read_text()
