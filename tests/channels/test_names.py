"""Layers keep their names when channels are removed, so that two files can be compared."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.channels.check import shaken, without_share
from tests.conftest import Run
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.inspection.diff import compare_inspections
from tflite_compress.inspection.inspect_file import inspect
from tflite_compress.models.keras_types import KerasModel
from tflite_compress.models.load import load_model


def write(path: Path, model: KerasModel) -> Path:
    content, _ = convert_network(load_model(model).network, ConverterSettings("float32"), (), lambda n: None)
    path.write_bytes(content)
    return path


@pytest.fixture
def files(keras2: ModuleType, tmp_path: Path) -> tuple[Path, Path]:
    """Two Conv-BN-ReLU blocks and a dense layer without an activation, before and after."""
    layers = keras2.layers
    keras2.utils.set_random_seed(0)
    x = inputs = keras2.Input((6, 6, 3))
    for number in (1, 2):
        x = layers.Conv2D(8, 3, use_bias=False, name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"bn_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    model = shaken(keras2.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)), name="net"))
    return write(tmp_path / "a.tflite", model), write(tmp_path / "b.tflite", without_share(model, 0.5)[0])


def test_layers_of_a_model_with_fewer_channels_match(files: tuple[Path, Path], run: Run) -> None:
    found = compare_inspections(*map(inspect, files))
    assert list(found.layers) == ["conv_1", "conv_2", "out"]
    shapes = [tuple(w.shape for w in pair if w is not None) for pair in found.layers.values()]
    assert shapes == [
        ((8, 3, 3, 3), (4, 3, 3, 3)),
        ((8, 3, 3, 8), (4, 3, 3, 4)),
        ((4, 32), (4, 16)),
    ]
    code, out, _ = run("inspect", str(files[0]), f"--diff={files[1]}")
    assert code == 0 and "conv_1" in out and "relu_1" not in out
