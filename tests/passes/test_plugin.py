"""Another distribution adds a pass by an entry point, and a recipe runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tflite_compress import compress
from tflite_compress.passes import base, registry

MODULE = '''
"""A pass that sets small weights to zero without training."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import tflite_compress.passes as passes


@passes.register
class Snap(passes.FloatPass, frozen=True, tag="snap"):
    """Set weights below a threshold to zero.

    Attributes:
        threshold: Weights with a smaller absolute value become zero.
    """

    stage: ClassVar = passes.Stage.TRAIN
    safer_values: ClassVar = {"threshold": min}

    threshold: float = 0.1

    def summary(self):
        return f"weights below {self.threshold:g} cut"

    def apply(self, model, context):
        import numpy as np

        from tflite_compress.models.copying import copied
        from tflite_compress.models.network import keras_network

        handle = copied(model.network.handle)
        for layer in handle.layers:
            layer.set_weights([np.where(np.abs(w) < self.threshold, 0, w) for w in layer.get_weights()])
        return replace(model, network=keras_network(handle, model.network.name, True))
'''
RECIPE = """
name = "snapped"
summary = "small weights cut"
[[passes]]
pass = "snap"
threshold = 0.05
[[passes]]
pass = "convert"
precision = "float32"
"""


def install(folder: Path, module: str) -> dict[str, str]:
    """Lay a distribution into a folder, as pip would, and return an environment that finds it."""
    (folder / "tflite_snap.py").write_text(module)
    info = folder / "tflite_snap-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tflite-snap\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tflite_compress.passes]\nsnap = tflite_snap\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def python(code: str, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True)


@pytest.fixture
def snap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The distribution, installed for this process until the test ends."""
    install(tmp_path, MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._import_entry_points.cache_clear()
    yield
    registry._import_entry_points.cache_clear()
    base.REGISTERED.pop("snap", None)
    sys.modules.pop("tflite_snap", None)


@pytest.mark.usefixtures("snap")
def test_a_recipe_runs_a_pass_of_another_distribution(digits: Path, digits_data: Path) -> None:
    Path("snapped.toml").write_text(RECIPE)
    report = compress(
        digits, "raspberry-pi-4", "snapped.toml", data=digits_data, out="out", max_drop=1.0,
        overrides={"threshold": 10.0}, bundle=False, details=False, latency_seconds=0.01,
    ).report  # fmt: skip
    assert report.recipe.summary == "weights below 10 cut + float32"
    assert [step.name for step in report.passes] == ["snap", "convert"]
    assert report.accuracy.after < 0.3 < report.accuracy.before  # every weight is cut


def test_passes_of_other_distributions_are_listed(tmp_path: Path) -> None:
    code = "from tflite_compress.passes import all_passes; print('snap' in all_passes())"
    assert python(code, env=install(tmp_path, MODULE)).stdout.strip() == "True"


@pytest.mark.parametrize("code", ["from tflite_compress.passes import all_passes; all_passes()"])
def test_one_that_cannot_be_loaded_is_named(tmp_path: Path, code: str) -> None:
    done = python(code, env=install(tmp_path, "import a_module_that_is_not_there"))
    assert "the passes of 'tflite_snap' cannot be loaded (ModuleNotFoundError" in done.stderr
