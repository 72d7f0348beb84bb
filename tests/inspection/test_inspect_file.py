from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Run
from tests.timing.models import dense
from tflite_compress.inspection.diff import compare_inspections
from tflite_compress.inspection.inspect_file import inspect
from tflite_compress.inspection.parts import PARTS
from tflite_compress.inspection.weights import entropy_bits
from tflite_compress.reporting.graph_svg import graph_file
from tflite_compress.reporting.network_operators import network_operators
from tflite_compress.support.errors import ModelError


@pytest.fixture(scope="module")
def converted(keras: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same little CNN as float32, float16 and int8."""
    import tensorflow as tf

    layers = keras.layers
    inputs = keras.Input((8, 8, 1), batch_size=1)
    x = layers.Conv2D(8, 3, activation="relu", name="first")(inputs)
    y = layers.Conv2D(8, 1, name="branch")(x)
    x = layers.Flatten()(layers.Add(name="join")([x, y]))
    model = keras.Model(inputs, layers.Dense(4, name="last")(x))
    folder = tmp_path_factory.mktemp("converted")
    samples = np.random.default_rng(0).random((8, 1, 8, 8, 1), np.float32)
    for name in ("float32", "float16", "int8"):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if name != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if name == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if name == "int8":
            converter.representative_dataset = lambda: ([x] for x in samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        (folder / name).write_bytes(converter.convert())
    return {name: folder / name for name in ("float32", "float16", "int8")}


@pytest.mark.parametrize(("name", "kind", "size"), [("float32", 4, 4), ("float16", 2, 2), ("int8", 1, 1)])
def test_weights_of_every_type(converted: dict[str, Path], name: str, kind: int, size: int) -> None:
    found = inspect(converted[name])
    assert [w.operator for w in found.weights] == ["CONV_2D", "CONV_2D", "FULLY_CONNECTED"]
    assert [w.weights for w in found.weights] == [72, 64, 8 * 36 * 4]
    assert found.weight_bytes == size * (72 + 64 + 8 * 36 * 4)
    assert sum(found.parts.values()) == found.bytes and tuple(found.parts) == PARTS
    assert 0 <= found.parts["weights"] - found.weight_bytes <= 4 * 3  # lengths
    assert found.macs == 36 * (72 + 64) + 8 * 36 * 4
    assert all((w.scales > 0) == (name == "int8") for w in found.weights)


def test_activations_at_the_peak(converted: dict[str, Path]) -> None:
    """At the join: what goes round the branch, the branch, and their sum."""
    assert inspect(converted["float32"]).activations_bytes == 3 * 6 * 6 * 8 * 4
    assert inspect(converted["float16"]).activations_bytes == 3 * 6 * 6 * 8 * 4


def test_shared_bytes_count_once(converted: dict[str, Path]) -> None:
    from tflite_compress.tflite.slim_file import list_slimming_steps, slim_file

    content = slim_file(converted["int8"].read_bytes(), list_slimming_steps("full"))
    path = Path("slim.tflite")
    path.write_bytes(content)
    before, after = inspect(converted["int8"]), inspect(path)
    assert sum(after.parts.values()) == len(content) and after.parts["names"] < before.parts["names"]
    assert after.parts["structure"] > 0 and after.weight_bytes == before.weight_bytes


@pytest.mark.parametrize(
    ("values", "bits", "distinct"),
    [
        ([1, 1, 1, 1], 0, 1),
        ([0, 1, 0, 1], 1, 2),
        ([0, 0, 0, 1], 0.8113, 2),
        (range(-8, 8), 4, 16),
        ([], 0, 0),
    ],
)
@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.float32])
def test_entropy_is_in_bits_per_value(values: Any, bits: float, distinct: int, dtype: Any) -> None:
    found, count = entropy_bits(np.array(list(values), dtype))
    assert found == pytest.approx(bits, abs=1e-4) and count == distinct


def test_two_files_are_compared_by_layer(converted: dict[str, Path]) -> None:
    before, after = inspect(converted["float32"]), inspect(converted["int8"])
    found = compare_inspections(before, after)
    assert found.figures["bytes"] == (before.bytes, after.bytes)
    assert "QUANTIZE" in found.operators or "DEQUANTIZE" in found.operators or not found.operators
    assert any(a and b and (a.type, b.type) == ("FLOAT32", "INT8") for a, b in found.layers.values())
    assert not compare_inspections(before, before).layers


def test_the_drawing_has_every_operator_but_those_that_unpack(converted: dict[str, Path]) -> None:
    for name in ("int8", "float16"):
        found = inspect(converted[name])
        shown = [op for op in found.operators if not op.is_unpacking]
        assert (len(found.operators) - len(shown) > 0) is (name == "float16")
        operators = network_operators(found.operators)
        assert [op.index for op in operators] == [op.index for op in shown]
        assert sum(op.unpacks for op in operators) == len(found.operators) - len(shown)
        assert sum(op.bytes for op in operators) == found.weight_bytes
        svg = graph_file(operators, found.path)
        assert svg.count("<rect") == len(shown) + 1
        boxes = set(re.findall(r'<rect x="(\d+)" y="(\d+)"', svg))
        assert len(boxes) == len(shown)


def test_the_command_line(
    run: Run, converted: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = run("inspect", str(converted["int8"]), f"--graph={tmp_path / 'g.svg'}")
    assert code == 0 and "quantization parameters" in out and "bits per weight" in out
    assert " 1.12 KB " in out and "1,152" not in out
    assert (tmp_path / "g.svg").read_text().startswith("<svg")
    assert run("inspect", str(converted["int8"]), "--graph=g.PNG")[0] == 0
    with Image.open(tmp_path / "g.PNG") as image:
        wide, high = re.findall(r' (?:width|height)="(\d+)"', (tmp_path / "g.svg").read_text())[:2]
        assert image.format == "PNG" and image.size == (2 * int(wide), 2 * int(high))
        colours = image.getcolors(maxcolors=100_000)
        assert colours is not None and len(colours) > 5  # boxes, lines and texts are drawn
    code, out, _ = run("inspect", str(converted["int8"]), "--json")
    assert json.loads(out)["weight_bytes"] == 72 + 64 + 8 * 36 * 4
    code, out, _ = run("inspect", str(converted["float32"]), f"--diff={converted['int8']}")
    assert code == 0 and "weights that differ" in out
    code, out, _ = run("inspect", str(converted["float32"]), f"--diff={converted['int8']}", "--json")
    assert json.loads(out)["figures"]["bytes"][0] == converted["float32"].stat().st_size


def test_tensorflow_is_not_imported(converted: dict[str, Path]) -> None:
    script = (
        "import sys; from tflite_compress.cli.main import main; "
        f"main(['inspect', {str(converted['int8'])!r}]); assert 'tensorflow' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def test_damaged_and_missing_files(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(dense(16)[:-200])
    with pytest.raises(ModelError):
        inspect(path)
    for words in ([], [str(path)], [str(tmp_path / "none.tflite")]):
        code, _, err = run("inspect", *words)
        assert code == 2 and err and "Traceback" not in err


def test_an_inspection_has_a_short_repr_and_html(int8_file: Path) -> None:
    found = inspect(int8_file)
    assert "CONV_2D" in repr(found) and len(repr(found)) < 1000
    assert found._repr_html_().count("<tr>") == len(found.operators) + 1
