from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tflite_compress as tc

ONCE = {"epochs": 0, "min_steps": 2, "recovery_steps": 0, "rounds": 1, "samples": 64}


@pytest.fixture
def compress(tiny: Any, tiny_data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> Callable[..., tc.Result]:
    def call(recipe: str = "channel-prune-int8", **options: Any) -> tc.Result:
        overrides = ONCE if recipe == "channel-prune-int8" else None
        return tc.compress(
            tiny, "rp2040", recipe, data=tiny_data, out=tmp_path / "out", overrides=overrides,
            max_drop=1.0, details=False, bundle=False, latency_seconds=0.01, **options,
        )  # fmt: skip

    return call


def test_the_process_and_the_home_folder_stay_as_they_were(
    keras: ModuleType,
    keras2: ModuleType,  # imported before: the first import of either Keras writes ~/.keras/keras.json
    compress: Callable[..., tc.Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.config import is_op_determinism_enabled

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "TFLITE_COMPRESS_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    tf.config.experimental.enable_op_determinism()  # so that the setting can be switched off here
    from tensorflow.python.framework.config import disable_op_determinism

    disable_op_determinism()
    tf.random.set_seed(5)
    expected = (float(tf.random.normal([])), float(tf.random.normal([])))
    tf.random.set_seed(5)
    first = float(tf.random.normal([]))
    python_state, numpy_state = random.getstate(), np.random.get_state(legacy=False)["state"]["key"].copy()
    descriptor = os.fstat(2)
    result = compress()
    assert len(repr(result)) < 300 and "rp2040" in result._repr_html_()
    assert random.getstate() == python_state
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_state)
    assert (first, float(tf.random.normal([]))) == expected
    assert not is_op_determinism_enabled()
    assert os.path.samestat(os.fstat(2), descriptor)
    assert list(home.rglob("*")) == []
    assert {p.name for p in tmp_path.iterdir()} == {"home", "out"}


@pytest.mark.slow
def test_an_exception_in_the_callback_cancels_at_every_step(
    compress: Callable[..., tc.Result], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class StopError(Exception):
        pass

    seen: list[str] = []
    with caplog.at_level(logging.INFO, "tflite_compress"):
        compress(progress=lambda update: seen.append(update.title))
    steps = list(dict.fromkeys(seen))
    assert "ranking channels" in steps and "converting to int8" in steps
    assert set(steps) <= {record.message for record in caplog.records}
    for wanted, recipe in (
        ("reading the data", "channel-prune-int8"),
        ("ranking channels", "channel-prune-int8"),
        ("converting to int8", "int8"),  # without the training that comes before
        ("measuring latency", "int8"),
    ):

        def stop(update: tc.ProgressUpdate, wanted: str = wanted) -> None:
            if update.title == wanted:
                raise StopError(wanted)

        result = (tmp_path / "out" / "report.json").read_bytes()
        with pytest.raises(StopError, match=wanted):
            compress(recipe, progress=stop)
        assert (tmp_path / "out" / "report.json").read_bytes() == result
        assert [p.name for p in tmp_path.iterdir()] == ["out"]


CHILD = """
import logging, os, sys, warnings
import numpy
import tflite_compress as tc

def settings():
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    return dict(os.environ), list(warnings.filters), list(logging.root.handlers), levels

environment, filters, handlers, levels = settings()
tc.compress(
    sys.argv[1], "android-gpu", "prune-float16", data=sys.argv[2], out="out", max_drop=1.0,
    overrides={"epochs": 0, "min_steps": 2}, details=False, bundle=False, latency_seconds=0.01,
)
assert settings()[:3] == (environment, filters, handlers), settings()[:3]
after = settings()[3]
assert {name: after[name] for name in levels} == levels
assert {after["tensorflow"], after["absl"]} <= {logging.NOTSET, logging.WARNING}, after
import tensorflow
print(tensorflow.keras.__version__[0])
"""


@pytest.mark.slow
def test_the_first_import_of_tensorflow_leaves_the_settings_of_the_process(
    digits: Path, digits_data: Path
) -> None:
    command = [sys.executable, "-c", CHILD, str(digits), str(digits_data)]
    environment = {name: v for name, v in os.environ.items() if not name.startswith(("TF_", "KERAS_"))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3"  # tf.keras is Keras 3, although TF-MOT was imported
    assert "oneDNN" not in done.stderr
