"""A type for each layer: what the file then holds, and that both runtimes compute the same from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tflite_compress.conversion.layer_rules import layer_types
from tflite_compress.conversion.observe import observe
from tflite_compress.conversion.per_layer import Plain, prepare, quantized
from tflite_compress.models.load import load_model
from tflite_compress.models.network import Network
from tflite_compress.passes.base import Context
from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.runtimes.litert import predict
from tflite_compress.support.errors import ConfigError, ConversionError
from tflite_compress.tflite.flatbuffer import type_name


@pytest.fixture(scope="module")
def plain(context: Context) -> Plain:
    return prepare(context.reference.network, context.reference.splits.calibrate.inputs, True)


def weight_types(content: bytes) -> dict[str, str]:
    model = LoadedModel(content)
    return {
        op.layer: type_name(model.graph.tensors[op.inputs[1]].type)
        for op in model.operators
        if model.weights(op) is not None
    }


def activation_types(content: bytes) -> dict[str, str]:
    model = LoadedModel(content)
    return {op.layer: type_name(model.graph.tensors[op.inputs[0]].type) for op in model.operators}


def accuracy(content: bytes, context: Context) -> float:
    inputs = context.reference.splits.evaluate.inputs
    outputs = predict(content, inputs, *context.reference.network.tensor_names)
    return context.reference.score_of(outputs).value


def test_all_tensors_are_observed(plain: Plain, context: Context) -> None:
    inputs = context.reference.splits.calibrate.inputs
    names, _ = context.reference.network.tensor_names
    seen = plain.observed
    model = LoadedModel(plain.content)
    assert len(seen) == len(model.operators) + 1
    first = next(iter(seen.values()))
    assert (first.low, first.high) == (inputs[0].min(), inputs[0].max())
    assert all(o.counts.sum() > 0 for o in seen.values())
    again = observe(plain.content, inputs, names, histograms=False)
    assert {n: (o.low, o.high) for n, o in again.items()} == {n: (o.low, o.high) for n, o in seen.items()}
    assert all(not o.counts.size for o in again.values())


def test_each_layer_gets_the_precision_of_its_rule(plain: Plain, context: Context) -> None:
    weighted = [layer.name for layer in plain.layers if layer.weights]
    types = layer_types((f"^{weighted[1]}$=int4", f"^{weighted[-1]}$=float32"), plain.layers)
    made = quantized(plain, "int8", types, "minmax", integer_io=True)
    found = weight_types(made.content)
    assert found[weighted[1]] == "INT4" and found[weighted[-1]] == "FLOAT32" and not made.notes
    assert {found[name] for name in weighted[2:-1]} <= {"INT8"}
    score = context.reference.score.value
    assert accuracy(made.content, context) > score - 0.1


def test_one_layer_may_have_int16_activations(plain: Plain, context: Context) -> None:
    name = next(layer.name for layer in plain.layers if layer.weights)
    content = quantized(plain, "int8", {name: "int16x8"}, "minmax", integer_io=False).content
    types = activation_types(content)
    assert types[name] == "INT16" and "INT8" in types.values()
    assert accuracy(content, context) > context.reference.score.value - 0.02


@pytest.mark.parametrize("integer", [True, False])
def test_inputs_and_outputs_have_the_type_asked_for(plain: Plain, integer: bool) -> None:
    content = quantized(plain, "int8", {}, "minmax", integer).content
    graph = LoadedModel(content).graph
    kinds = {type_name(graph.tensors[i].type) for i in [*graph.inputs, *graph.outputs]}
    assert kinds == ({"INT8"} if integer else {"FLOAT32"})


def test_rules_come_one_by_one_or_with_commas_between(plain: Plain) -> None:
    apart = layer_types(("^conv_1$=int4", "digit{1,1}=float32"), plain.layers)
    assert apart == {"conv_1": "int4", "digit": "float32"}
    assert layer_types(("^conv_1$=int4,digit{1,1}=float32",), plain.layers) == apart


@pytest.mark.parametrize("rule", ["dense", "dense=int5", "=int8x", "(=int8", "nothing_like_it=int4"])
def test_wrong_rules_are_explained(plain: Plain, rule: str) -> None:
    with pytest.raises(ConfigError, match="layers: "):
        layer_types((rule,), plain.layers)


def test_layers_without_integer_form_are_named(keras: object) -> None:
    import keras as keras3

    inputs = keras3.Input((6, 3), name="steps")
    network: Network = load_model(
        keras3.Model(inputs, keras3.layers.Dense(2, name="last")(keras3.layers.LSTM(4)(inputs)))
    ).network
    samples = (np.random.default_rng(0).normal(size=(8, 6, 3)).astype(np.float32),)
    made = quantized(prepare(network, samples, False), "int8", {}, "minmax", False)
    assert made.float_operators == ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
    assert [note.code for note in made.notes] == ["operators-stay-float32"]
    with pytest.raises(ConversionError, match="UNIDIRECTIONAL_SEQUENCE_LSTM"):
        made.require_integers()


@pytest.mark.slow
def test_from_the_command_line(
    run: Run, digits: Path, digits_data: Path, plain: Plain, tmp_path: Path
) -> None:
    name = next(layer.name for layer in plain.layers if "CONV_2D" in layer.kinds)
    out = tmp_path / "out"
    rules = f"--layers=^{name}$=int4"
    common = (f"--data={digits_data}", "--device=rp2040", "--recipe=int8", f"--out={out}")
    code, text, errors = run("compress", digits, *common, rules, "--calibration-method=percentile")
    assert code == 0, text + errors
    found = weight_types((out / "digits.tflite").read_bytes())
    assert next(iter(found.values())) == "INT4" and "INT8" in found.values(), found
    code, text, _ = run("check", out / "digits.tflite", "--device=coral-edge-tpu")
    assert code == 1 and "uses 4-bit weights" in " ".join(text.split())
    code, _, errors = run("compress", digits, *common, "--layers=nothing_like_it=int4")
    assert code == 2 and "layers: no layer is called like 'nothing_like_it'" in errors
