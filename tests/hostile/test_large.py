"""Models and data too large to be careless with: memory stays within what was promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.reporting.model import Report, decode_report

BYTES_FOR_RESNET50 = 8e9
DATA_SEGMENT = 3 << 30
SAMPLES, SIDE = 90_000, 64

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from tflite_compress.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.marathon
def test_resnet50_takes_less_than_8_gb(keras: ModuleType, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    keras.applications.ResNet50(weights=None).save(tmp_path / "resnet50.keras")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 224, 224, 3), np.uint8)
    np.savez(tmp_path / "images.npz", x=images, y=rng.integers(0, 1000, 24))
    report = _compressed(
        [sys.executable, "-m", "tflite_compress"], "resnet50.keras", "images.npz", "--max-drop=100%"
    )
    assert 500e6 < present(report.peak_memory_bytes) < BYTES_FOR_RESNET50
    assert report.size.ratio < 0.27


@pytest.mark.marathon
def test_data_larger_than_memory_is_streamed(keras: ModuleType, tmp_path: Path) -> None:
    """4.4 GB of evaluation data in a process that may hold 3 GB besides what it maps from files."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=4, activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)), name="small")
    model.save(tmp_path / "small.keras")
    rng = np.random.default_rng(0)
    x_test = np.lib.format.open_memmap(tmp_path / "x_test.npy", "w+", np.float32, (SAMPLES, SIDE, SIDE, 3))
    for start in range(0, SAMPLES, 5_000):
        x_test[start : start + 5_000] = rng.random((5_000, SIDE, SIDE, 3), np.float32)
    labels = np.concatenate(
        [model(x_test[at : at + 5_000]).numpy().argmax(1) for at in range(0, SAMPLES, 5_000)]
    )
    assert x_test.nbytes > DATA_SEGMENT
    np.savez(tmp_path / "data.npz", x_train=x_test[:200], x_test=x_test, y_test=labels)
    code = LIMITED.format(limit=DATA_SEGMENT)
    report = _compressed([sys.executable, "-c", code], "small.keras", "data.npz", "--max-drop=0.2")
    assert report.accuracy.samples == SAMPLES and report.accuracy.before == 1.0
    assert report.accuracy.after > 0.8


def _compressed(command: list[str], model: str, data: str, *more: str) -> Report:
    arguments = [
        "compress", model, f"--data={data}", "--device=raspberry-pi-4", "--recipe=int8", "--out=out",
        "--ledger=none", "--bundle=false", "--details=false", *more,
    ]  # fmt: skip
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return decode_report(Path("out/report.json").read_bytes())
