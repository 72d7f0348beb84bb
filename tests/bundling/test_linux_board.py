"""The Raspberry Pi bundle runs where only numpy and ai-edge-litert are, also on the emulated Pi."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.needs import tool
from tflite_compress.runtimes import emulator as emulation


@pytest.fixture
def bundle(compressed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compressed / "raspberry-pi-4" / "bundle", tmp_path / "bundle"))


def self_test(bundle: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "run_model.py", "digits.tflite", "--seconds=0", *more]
    return subprocess.run(command, cwd=bundle, capture_output=True, text=True)


def test_the_self_test_passes(bundle: Path) -> None:
    done = self_test(bundle)
    assert done.returncode == 0 and "allowed 0.0001: ok" in done.stdout, done.stderr
    with np.load(bundle / "vectors.npz") as vectors:
        assert len(vectors["input_0"]) == len(vectors["expected_0"]) == 8


def test_the_self_test_finds_a_wrong_model(bundle: Path) -> None:
    with np.load(bundle / "vectors.npz") as archive:
        vectors = dict(archive)
    vectors["expected_0"] = vectors["expected_0"] + 0.01
    np.savez(bundle / "vectors.npz", **vectors)
    done = self_test(bundle)
    assert done.returncode == 1 and "DIFFERENT" in done.stdout


def test_it_passes_on_the_emulated_pi(bundle: Path, emulator: Path) -> None:
    command = emulation.python_command("run_model.py", "digits.tflite", "--seconds=0")
    done = subprocess.run(command, cwd=bundle, env=emulation.environment(), capture_output=True, text=True)
    assert done.returncode == 0 and "ok" in done.stdout, done.stderr


def test_from_python(bundle: Path, digits_arrays: dict[str, np.ndarray]) -> None:
    program = (
        "import numpy as np; from run_model import Model; model = Model('digits.tflite', threads=2); "
        "print(model.run(np.load('x.npy'))[0].argmax())"
    )
    image = digits_arrays["x_test"][:1]
    np.save(bundle / "x.npy", image)
    done = subprocess.run([sys.executable, "-c", program], cwd=bundle, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == int(digits_arrays["y_test"][0])


def test_the_unit_is_valid(bundle: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    done = subprocess.run([analyze, "verify", bundle / "digits.service"], capture_output=True, text=True)
    unknown = [line for line in done.stderr.splitlines() if "digits.service" in line and "Unknown" in line]
    assert not unknown, done.stderr
