"""Shared fixtures: the bundled example, tiny models, tiny data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("XDG_CACHE_HOME", "/tmp/tflite-compress-tests-cache")
ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(ROOT / "benchmarks"))


@pytest.fixture(scope="session")
def keras() -> Any:
    from tflite_compress.backend import keras3

    return keras3()


@pytest.fixture(scope="session")
def keras2() -> Any:
    from tflite_compress.backend import tf_keras

    return tf_keras()


@pytest.fixture(scope="session")
def digits() -> Path:
    return EXAMPLES / "digits.keras"


@pytest.fixture(scope="session")
def digits_data() -> Path:
    return EXAMPLES / "digits.npz"


@pytest.fixture(scope="session")
def digits_arrays(digits_data: Path) -> dict[str, np.ndarray]:
    with np.load(digits_data) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in a folder of its own, so nothing it writes stays."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; gives exit code, standard output and standard error."""
    from tflite_compress.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call
