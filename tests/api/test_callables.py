"""Functions instead of names: metric and preprocessing of a ``.tflite``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tflite_compress as tc
from tflite_compress.support.errors import UsageError


def tenths(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / 10, np.float32)


def share_of_twos(targets: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.mean(predictions.argmax(axis=-1) == 2))


@pytest.fixture(scope="module")
def lite(keras: ModuleType) -> tc.TFLiteModel:
    """A model whose largest output is always number 2."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.set_weights([np.zeros((4, 3)), np.array([0, 0, 1])])
    return tc.convert(model, tc.Float32())


def test_check_takes_a_function_as_metric(lite: tc.TFLiteModel) -> None:
    data = (np.ones((8, 4), np.float32), np.zeros(8, np.int64))
    for metric, fits in ((share_of_twos, True), ("top1", False)):
        found = tc.check(lite, "raspberry-pi-4", data=data, min_accuracy=0.5, metric=metric)
        finding = next(f for f in found.findings if f.subject == "accuracy")
        assert finding.fits is fits, finding


def test_bundle_takes_a_function_for_preprocessing(lite: tc.TFLiteModel, tmp_path: Path) -> None:
    x = np.arange(32, dtype=np.float32).reshape(8, 4)
    folder = tc.bundle(lite, "raspberry-pi-4", data=x, preprocess=tenths, out=tmp_path / "b")
    with np.load(folder / "vectors.npz") as vectors:
        assert np.allclose(vectors["input_0"].reshape(-1, 4)[:8], x / 10)
    text = "".join(p.read_text() for p in tc.bundle(lite, "android-gpu", data=x, preprocess=tenths,
                   out=tmp_path / "a").rglob("*.kt"))  # fmt: skip
    assert "tests.api.test_callables:tenths" in text and "0x" not in text


def test_compress_many_wants_a_list_of_devices() -> None:
    cases: tuple[Sequence[str], ...] = ([], "rp2040")
    for devices in cases:
        with pytest.raises(UsageError, match="expected a list with at least one device"):
            tc.compress_many("m.keras", devices)
