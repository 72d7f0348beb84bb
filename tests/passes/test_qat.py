"""Quantization-aware training: int8 throughout, zeros and shared values kept, odd layers left out."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import of_type
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context, ConvertedModel, FloatModel, Model, PassConfig
from tflite_compress.passes.algorithms.four_bit_training import prepared, trained_copy
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.qat import Qat
from tflite_compress.passes.slim import Slim
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import FourBitRounding, LayerTypes, Sparsity
from tflite_compress.pipeline.recipes import load_recipe
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.errors import ConfigError, ModelError
from tflite_compress.support.progress import Silent
from tflite_compress.tflite.flatbuffer import type_name, unpack
from tflite_compress.tflite.macs import constant

SHORT: dict[str, Any] = {"training": Training(epochs=1, min_steps=60)}


def after(start: FloatModel, context: Context, *passes: PassConfig) -> ConvertedModel:
    model: Model = start
    for config in (*passes, Convert(precision="int8", io="integer"), Slim()):
        model = config.run(model, context)
    return of_type(ConvertedModel, model)


def accuracy(model: ConvertedModel, context: Context) -> float:
    outputs = predict(model.flatbuffer, context.reference.splits.evaluate.inputs, *model.network.tensor_names)
    return context.reference.score_of(outputs).value


def kernels(model: ConvertedModel) -> list[np.ndarray]:
    tree = unpack(model.flatbuffer)
    graph = tree.subgraphs[0]
    found = [constant(t, tree) for t in graph.tensors if type_name(t.type) == "INT8"]
    return [values for values in found if values is not None and values.size >= 512]


@pytest.mark.slow
def test_training_gives_a_full_int8_file_no_worse(start: FloatModel, context: Context) -> None:
    done = after(start, context, Qat(**SHORT))
    graph = unpack(done.flatbuffer).subgraphs[0]
    assert {type_name(graph.tensors[op.outputs[0]].type) for op in graph.operators} == {"INT8"}
    assert accuracy(done, context) > context.reference.score.value - 0.02
    weights = [w.numpy() for w in start.network.handle.weights]
    assert all(np.isfinite(w).all() for w in weights)  # the original is not touched


@pytest.mark.slow
def test_a_training_that_harms_is_undone(start: FloatModel, context: Context) -> None:
    hasty = Training(epochs=0, min_steps=400, learning_rate=1.0)
    found = Qat(training=hasty).apply(start, context)
    [note] = [note for note in found.notes if note.code == "training-undone"]
    assert note.text.startswith("quantization-aware training was undone, it did not help on")
    outputs = found.network.predict(context.reference.splits.evaluate.inputs)[0]
    original = context.reference.evaluation_outputs[0]
    assert np.mean((outputs - original) ** 2) < 0.001 * np.var(original)


def test_training_computes_with_the_4_bit_values_of_each_channel(keras2: ModuleType) -> None:
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    inputs = keras2.Input((3, 3, 2))
    x = layers.DepthwiseConv2D(2, name="depthwise")(layers.Conv2D(3, 1, name="unknown")(inputs))
    model = keras2.Model(inputs, layers.Dense(3, name="dense")(x))
    names = ("unknown", "depthwise", "dense")
    training = prepared(model, frozenset({"depthwise", "dense"}), names, True)
    assert not training.get_layer("quant_unknown").trainable, (
        "a layer without simulation keeps its rounded weights"
    )
    rounded = trained_copy(model, training, names, True)
    for name, attribute, axes in (("depthwise", "depthwise_kernel", (0, 1)), ("dense", "kernel", (0,))):
        before, kernel = (m.get_layer(name).get_weights()[0] for m in (model, rounded))
        steps = kernel / (np.abs(before).max(axis=axes, keepdims=True) / 7)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
        assert (np.rint(np.abs(steps).max(axis=axes)) == 7).all()
        wrapper = training.get_layer(f"quant_{name}")
        wrapper(np.zeros((1, *wrapper.input_shape[1:]), np.float32))  # puts the rounded kernel into the layer
        np.testing.assert_allclose(np.asarray(getattr(wrapper.layer, attribute)), kernel, atol=1e-6)


@pytest.mark.slow
def test_the_file_has_the_4_bit_weights_that_were_trained(keras2: ModuleType) -> None:
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    hidden = layers.Dense(24, activation="relu", name="hidden")
    network = load_model(
        keras2.Sequential([keras2.Input((16,)), hidden, layers.Dense(12, name="last")])
    ).network
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(600, 4)) @ rng.normal(size=(4, 16))).astype(np.float32)
    reference = make_reference(network, gather(DataSpec(x), network, 0), None, None, None)
    context = Context(reference, 0, Silent())
    four = Int4(precision="int8", max_calibration_drop=1.0, rounding="octav").apply(
        FloatModel(network), context
    )
    short = Training(epochs=1, min_steps=400, batch_size=32, learning_rate=0.002, distill=1.0, augment="none")
    trained = Qat(precision="int8", training=short).apply(four, context)
    assert any(n.code == "training-helped" for n in trained.notes), trained.notes
    assert trained.fact(FourBitRounding).rounding == "nearest"
    done = after(trained, context)
    tree = unpack(done.flatbuffer)
    for name in trained.fact(LayerTypes).by_layer:
        kernel = trained.network.handle.get_layer(name).get_weights()[0].T
        codes = np.rint(kernel * 7 / np.abs(kernel).max(axis=1, keepdims=True))
        assert np.allclose(kernel * 7 / np.abs(kernel).max(axis=1, keepdims=True), codes, atol=1e-3)
        stored = [constant(t, tree) for t in tree.subgraphs[0].tensors if type_name(t.type) == "INT4"]
        assert any(s is not None and np.array_equal(s, codes) for s in stored), name
    errors = [
        np.mean(
            (predict(after(m, context).flatbuffer, (x,), *network.tensor_names)[0] - network.predict((x,))[0])
            ** 2
        )
        for m in (four, trained)
    ]
    assert errors[1] < errors[0]


@pytest.mark.slow
def test_zeros_are_kept(start: FloatModel, context: Context) -> None:
    done = after(start, context, Prune(sparsity=0.7, schedule="polynomial", **SHORT), Qat(**SHORT))
    assert all(share == pytest.approx(0.7, abs=0.02) for share in done.fact(Sparsity).by_layer.values())
    assert any("zeros kept" in note for note in [n.text for n in done.notes])
    assert not any("did not keep" in note for note in [n.text for n in done.notes])
    assert np.mean([np.mean(k == 0) for k in kernels(done)]) > 0.4


@pytest.mark.slow
def test_zeros_and_shared_values_are_kept(start: FloatModel, context: Context) -> None:
    done = after(
        start,
        context,
        Prune(sparsity=0.6, schedule="polynomial", **SHORT),
        Cluster(clusters=16, scales="layer", **SHORT),
        Qat(**SHORT),
    )
    assert all(share == pytest.approx(0.6, abs=0.03) for share in done.fact(Sparsity).by_layer.values())
    assert any("zeros and shared values kept" in note for note in [n.text for n in done.notes])
    assert accuracy(done, context) > context.reference.score.value - 0.03


@pytest.mark.slow
def test_shared_values_are_kept_in_layers_without_batchnorm(start: FloatModel, context: Context) -> None:
    done = after(start, context, Cluster(clusters=16, scales="layer", **SHORT), Qat(**SHORT))
    handle = done.network.handle
    dense = next(layer for layer in handle.layers if layer.name == "quant_hidden")
    kernel = next(w.numpy() for w in dense.trainable_weights if len(w.shape) == 2)
    assert len(np.unique(kernel)) <= 16


@pytest.mark.slow
def test_layers_without_simulation_are_named_and_quantized_afterwards(keras: ModuleType) -> None:
    layers = keras.layers
    inputs = keras.Input((12, 3), name="steps")
    x = layers.Conv1D(4, 3, activation="relu", name="conv")(inputs)
    x = layers.GRU(5, return_sequences=True, name="gate")(x)
    x = layers.LSTM(6, name="memory")(x)
    network = load_model(keras.Model(inputs, layers.Dense(2, name="last")(x))).network
    data = np.random.default_rng(0).normal(size=(200, 12, 3)).astype(np.float32)
    context = Context(
        make_reference(network, gather(DataSpec(data), network, 0), None, None, None), 0, Silent()
    )
    done = after(FloatModel(network), context, Qat(training=Training(epochs=1, min_steps=5)))
    note = next(n for n in [n.text for n in done.notes] if "without simulated rounding" in n)
    assert "LSTM" in note and "Conv1D" in note and "GRU" in note and "conv, gate, memory" in note
    assert np.isfinite(accuracy(done, context))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_masked_recurrent_layer_is_trained(keras: ModuleType, kind: str) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((6, 3), name="steps")
    x = layers.Dense(4, name="first")(layers.Masking()(inputs))
    x = getattr(layers, kind)(5, name="memory")(x)
    network = load_model(keras.Model(inputs, layers.Dense(2, name="last")(x))).network
    data = np.random.default_rng(0).normal(size=(60, 6, 3)).astype(np.float32)
    data[:, 4:] = 0
    context = Context(
        make_reference(network, gather(DataSpec(data), network, 0), None, None, None), 0, Silent()
    )
    done = after(FloatModel(network), context, Qat(training=Training(epochs=1, min_steps=5)))
    assert any("Dense with a mask" in note.text and "first" in note.text for note in done.notes)
    assert accuracy(done, context) > 0.8


def test_nothing_to_train_is_refused(start: FloatModel, context: Context) -> None:
    with pytest.raises(ModelError, match="can train none of the layers"):
        Qat(exclude=(".*",)).apply(start, context)
    same = Qat(precision="float16").apply(start, context)
    assert same.network is start.network and any("qat left out" in n for n in [n.text for n in same.notes])


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (("qat", "prune", "convert"), "'prune' must come before 'qat'"),
        (("adaround", "qat", "convert"), "'adaround' has no place beside 'qat'"),
        (("qat", "qat", "convert"), "'qat' stands there twice"),
        (("convert", "encode", "slim"), "'slim' must come before 'encode'"),
    ],
)
def test_recipes_that_cannot_work_are_refused(order: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    passes = "".join(f'[[passes]]\npass = "{name}"\n' for name in order)
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f'name = "mine"\nsummary = "x"\n{passes}')
    with pytest.raises(ConfigError, match=reason):
        load_recipe(str(recipe))
