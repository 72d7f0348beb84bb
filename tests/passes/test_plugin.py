"""Another distribution adds a pass by an entry point, and a recipe runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
RUN = """
import msgspec, sys
from tflite_compress import compress
result = compress(sys.argv[1], "raspberry-pi-4", "snapped.toml", data=sys.argv[2], out="out", max_drop=1.0,
                  overrides={"threshold": 10.0}, bundle=False, details=False, latency_seconds=0.01)
print(msgspec.json.encode(result.report).decode())
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


def test_a_recipe_runs_a_pass_of_another_distribution(
    tmp_path: Path, digits: Path, digits_data: Path
) -> None:
    env = install(tmp_path, MODULE)
    Path("snapped.toml").write_text(RECIPE)
    done = python(RUN, str(digits), str(digits_data), env=env)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["recipe"]["summary"] == "weights below 10 cut + float32"
    assert [step["name"] for step in report["passes"]] == ["snap", "convert"]
    assert report["accuracy"]["after"] < 0.3 < report["accuracy"]["before"]  # every weight is cut


def test_passes_of_other_distributions_are_listed(tmp_path: Path) -> None:
    code = "from tflite_compress.passes import all_passes; print('snap' in all_passes())"
    assert python(code, env=install(tmp_path, MODULE)).stdout.strip() == "True"


@pytest.mark.parametrize("code", ["from tflite_compress.passes import all_passes; all_passes()"])
def test_one_that_cannot_be_loaded_is_named(tmp_path: Path, code: str) -> None:
    done = python(code, env=install(tmp_path, "import a_module_that_is_not_there"))
    assert "the passes of 'tflite_snap' cannot be loaded (ModuleNotFoundError" in done.stderr
