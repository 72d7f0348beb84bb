"""Commands in processes of their own, killed at random moments, and what they leave."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.conftest import EXAMPLES

COMMAND = [sys.executable, "-m", "tflite_compress"]


@pytest.fixture(scope="session")
def plain_model(keras: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network without dropout: its training is the same however often it was interrupted."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dense(10),
        ]
    )
    with np.load(EXAMPLES / "digits.npz") as data:
        x, y = (data[k] for k in data.files[:2])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(x.reshape(-1, 8, 8, 1).astype("float32"), y, epochs=15, verbose=0)
    path = tmp_path_factory.mktemp("plain") / "plain.keras"
    model.save(path)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A cache of the test's own, so that checkpoints are its own."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def killed_after(seconds: float, arguments: list[str], environment: dict[str, str]) -> bool:
    """Start a command and kill it; False where it had ended (well) by itself."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert process.wait(seconds) == 0
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
        return True


def require_whole_or_none(out: Path, wanted: int) -> bool:
    """True where a complete result lies there; asserts that it is complete if there is anything."""
    if not out.exists():
        return False
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest["files"]) >= wanted
    assert {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} == set(manifest["files"])
    for name, told in manifest["outputs"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == told["sha256"]
    assert json.loads((out / "report.json").read_text())["verdict"]["is_accepted"]
    return True
