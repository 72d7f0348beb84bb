from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.inspection.layer_errors import compare_layers
from tflite_compress.inspection.shared_scale import find_lost_parts
from tflite_compress.models.layer_table import layer_table
from tflite_compress.models.network import Network, keras_network
from tflite_compress.models.output_parts import JoinedOutput, OutputParts
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms.output_splitting import split_outputs
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.split_outputs import SplitOutputs
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.backend import tf_keras
from tflite_compress.support.progress import Silent

X = np.random.default_rng(0).uniform(0, 1, (8, 6)).astype(np.float32)


def network(scale: float) -> Network:
    """A network that concatenates values of two ranges in two rows, the second of which has one range."""
    layers = tf_keras().layers
    inputs = tf_keras().Input((6,), name="x")
    boxes = layers.Reshape((1, 4), name="boxes")(layers.Dense(4, activation="sigmoid")(inputs))
    wide = layers.Rescaling(scale, name="wide")(boxes)
    scores = layers.Reshape((1, 2), name="scores")(layers.Dense(2, activation="sigmoid")(inputs))
    rest = layers.Reshape((1, 6), name="rest")(layers.Dense(6)(inputs))
    row = layers.Concatenate(name="row")([wide, scores])
    whole = layers.Concatenate(axis=1, name="whole")([row, layers.Rescaling(scale, name="far")(rest)])
    return keras_network(tf_keras().Model(inputs, [whole, scores], name="net"), "net", True)


def test_only_concatenations_with_a_lost_part_are_split() -> None:
    original = network(500.0)
    found = split_outputs(original, (X,))
    assert found is not None
    assert found.joined_outputs == (
        JoinedOutput("whole", OutputParts(1, (OutputParts(2, ("wide", "scores")), "far"))),
        JoinedOutput("scores", "scores_1"),
    )
    assert found.tensor_names[1] == ("wide", "scores", "far", "scores_1")
    assert all(map(np.array_equal, found.predict((X,)), original.predict((X,))))
    content, _ = convert_network(found, ConverterSettings(precision="int8"), (X,), lambda n: None)
    outputs = found.joined(predict(content, (X,), *found.tensor_names))
    wanted = original.predict((X,))
    assert np.abs(outputs[0][:, 0, 4:] - wanted[0][:, 0, 4:]).max() < 0.05  # the scores


def behind(*names: str) -> Network:
    """A network with boxes up to 500, scores up to 1, and layers behind their concatenation."""
    layers = tf_keras().layers
    inputs = tf_keras().Input((6,), name="x")
    boxes = layers.Reshape((2, 3, 4))(layers.Dense(24, activation="sigmoid")(inputs))
    boxes = layers.Rescaling(500.0, name="boxes")(boxes)
    scores = layers.Dense(12, activation="sigmoid")(inputs)
    scores = layers.Reshape((2, 3, 2), name="scores")(scores)
    x = layers.Concatenate(name="whole")([boxes, scores])
    kinds = {
        "rows": layers.Reshape((6, 6), name="rows"),
        "columns": layers.Permute((2, 1), name="columns"),
        "positive": layers.Activation("relu", name="positive"),
        "mixed": layers.Reshape((36,), name="mixed"),
        "shares": layers.Activation("softmax", name="shares"),
    }
    for name in names:
        x = kinds[name](x)
    return keras_network(tf_keras().Model(inputs, x, name="net"), "net", True)


@pytest.mark.parametrize(
    ("names", "axis"), [(("rows",), 2), (("rows", "columns"), 1), (("positive", "rows", "columns"), 1)]
)
def test_layers_behind_a_concatenation_move_to_its_parts(names: tuple[str, ...], axis: int) -> None:
    original = behind(*names)
    found = split_outputs(original, (X,))
    assert found is not None and len(found.outputs) == 2
    (joined,) = found.joined_outputs
    assert isinstance(joined.source, OutputParts) and joined.source.axis == axis
    assert np.allclose(found.predict((X,))[0], original.predict((X,))[0], rtol=1e-5)


@pytest.mark.parametrize("names", [("mixed",), ("shares",)])
def test_layers_that_mix_the_parts_stay(names: tuple[str, ...]) -> None:
    assert split_outputs(behind(*names), (X,)) is None


def test_outputs_of_one_range_stay() -> None:
    assert split_outputs(network(1.0), (X,)) is None


@pytest.mark.slow
def test_scores_that_share_a_scale_with_boxes_are_repaired(tmp_path: Path) -> None:
    """Boxes up to 512 pixels give steps of 2, so that every score becomes 0 in int8."""
    from tflite_compress.models.load import load_model

    script: dict[str, Any] = runpy.run_path(str(ROOT / "examples/train_shapes.py"))
    script["main"](str(tmp_path), images=800, epochs=12, written=96)
    source = load_model(tmp_path / "shapes.keras")
    splits = gather(
        DataSpec(evaluate=tmp_path / "shapes.npz", calibrate=tmp_path / "shapes.npz"), source.network, 0
    )
    reference = make_reference(source.network, splits, source.loss, None, None)
    context, convert = Context(reference, 0, Silent()), Convert(precision="int8", io="float32")
    assert reference.metrics[0].name == "coco_map"
    before = reference.score.value

    def score(model: FloatModel) -> float:
        made = convert.apply(model, context)
        outputs = predict(made.flatbuffer, splits.evaluate.inputs, *model.network.tensor_names)
        return reference.score_of(model.network.joined(outputs)).value

    plain = FloatModel(source.network)
    repaired = SplitOutputs().apply(plain, context)
    figures = before, score(plain), score(repaired)
    assert figures[0] > 0.15 and figures[1] < 0.02 and figures[2] > figures[0] - 0.03, figures
    assert any("split into" in note.text for note in repaired.notes)
    few = tuple(x[:8] for x in splits.evaluate.inputs)
    exact, broken = (
        convert_network(source.network, settings, few, lambda n: None)[0]
        for settings in (ConverterSettings(precision="float32"), ConverterSettings(precision="int8"))
    )
    names, table = source.network.tensor_names[0], layer_table(source.network)
    layers = compare_layers(exact, broken, few, names, table)
    (lost,) = [part for part in find_lost_parts(layers) if part.is_output]
    assert lost.steps < 1 and lost.high < 1 < lost.whole_high
