from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.zoo import NAMES, models
from tests.narrow import present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.copying import copied
from tflite_compress.models.load import load_model
from tflite_compress.models.network import keras_network
from tflite_compress.passes import Context, ConvertedModel, FloatModel
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.values import DenseFile
from tflite_compress.profiles.devices import Precision, load_device
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.scoring.reference import distance, make_reference
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.progress import Silent
from tflite_compress.tflite.flatbuffer import operator_names, unpack


def run(model: ConvertedModel, context: Context) -> tuple[np.ndarray, ...]:
    return predict(model.flatbuffer, context.reference.splits.evaluate.inputs, *model.network.tensor_names)


@pytest.mark.parametrize(
    ("precision", "largest_share", "min_snr_db"),
    [
        ("float32", 1.01, 80),
        ("float16", 0.6, 40),
        ("dynamic", 0.4, 20),
        ("int8", 0.4, 15),
        ("int16x8", 0.45, 20),
    ],
)
def test_every_precision_is_small_and_accurate_enough(
    context: Context, start: FloatModel, precision: Precision, largest_share: float, min_snr_db: float
) -> None:
    plain = Convert(precision="float32").apply(start, context)
    converted = Convert(precision=precision).apply(start, context)
    assert len(converted.flatbuffer) <= largest_share * len(plain.flatbuffer)
    outputs = run(converted, context)
    assert distance(context.reference.evaluation_outputs, outputs)["snr_db"] >= min_snr_db


def test_integer_inputs_and_outputs(context: Context, start: FloatModel) -> None:
    expected: tuple[tuple[Precision, type[np.integer]], ...] = (("int8", np.int8), ("int16x8", np.int16))
    for precision, dtype in expected:
        converted = Convert(precision=precision, io="integer").apply(start, context)
        model = LiteRTModel(converted.flatbuffer, *converted.network.tensor_names)
        assert model._inputs[0]["dtype"] is dtype and model._outputs[0]["dtype"] is dtype
        assert context.reference.score_of(run(converted, context)).value > 0.9


def test_the_batch_is_one_unless_asked(context: Context, start: FloatModel) -> None:
    for free, expected in ((False, 1), (True, -1)):
        converted = Convert(precision="float32", has_free_batch=free).apply(start, context)
        tensor = unpack(converted.flatbuffer).subgraphs[0].tensors[0]
        signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
        assert present(signature)[0] == expected
        assert distance(context.reference.evaluation_outputs, run(converted, context))["snr_db"] > 80


def test_per_tensor_weights_are_smaller(context: Context, start: FloatModel) -> None:
    one = Convert(precision="int8").apply(start, context).flatbuffer
    all_ = Convert(precision="int8", per_channel=False).apply(start, context).flatbuffer
    assert len(all_) < len(one)


def random_context(model: Any) -> tuple[Context, FloatModel]:
    source = load_model(model)
    splits = gather(DataSpec(), source.network, 0)
    reference = make_reference(source.network, splits, source.loss, None, None)
    return Context(reference, 0, Silent()), FloatModel(source.network)


SLOW = {"lstm", "gru", "encoder_decoder", "embedding"}  # tracing recurrent layers takes 3 to 7 s


def kinds(*names: str) -> list[Any]:
    return [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in names]


@pytest.mark.parametrize("name", kinds(*(n for n in NAMES if n != "free_size")))
def test_every_kind_of_model_converts_to_float(keras: ModuleType, name: str) -> None:
    context, start = random_context(models(keras)[name]())
    converted = Convert(precision="float32").apply(start, context)
    assert distance(context.reference.evaluation_outputs, run(converted, context))["max_abs"] < 1e-3


@pytest.mark.parametrize(
    "name", kinds("multi_input", "dict_ports", "multi_output", "gru", "conv1d", "attention")
)
def test_many_kinds_of_model_quantize_to_int8(keras: ModuleType, name: str) -> None:
    context, start = random_context(models(keras)[name]())
    converted = Convert(precision="int8").apply(start, context)
    assert distance(context.reference.evaluation_outputs, run(converted, context))["cosine"] > 0.95
    assert "WHILE" not in operator_names(converted.flatbuffer)  # a short GRU is unrolled


@pytest.mark.slow
def test_an_lstm_quantizes(keras: ModuleType) -> None:
    # One direction only: the converter's int8 Bidirectional is right within 10 dB at best.
    keras.utils.set_random_seed(7)
    layers = [keras.Input((10, 4)), keras.layers.LSTM(8), keras.layers.Dense(2)]
    context, start = random_context(keras.Sequential(layers))
    converted = Convert(precision="int8").apply(start, context)
    assert distance(context.reference.evaluation_outputs, run(converted, context))["snr_db"] > 30


def test_recurrent_state_is_fresh_for_each_sample(keras: ModuleType) -> None:
    inputs = keras.Input((6, 3))
    context, start = random_context(keras.Model(inputs, keras.layers.LSTM(4)(inputs)))
    converted = Convert(precision="float32").apply(start, context)
    assert distance(context.reference.evaluation_outputs, run(converted, context))["max_abs"] < 1e-5


def test_loops_are_refused_before_they_crash_the_converter(keras: ModuleType) -> None:
    inputs, cells = keras.Input((130, 4)), [keras.layers.LSTMCell(4), keras.layers.LSTMCell(3)]
    context, start = random_context(keras.Model(inputs, keras.layers.RNN(cells)(inputs)))
    with pytest.raises(ConversionError, match="loop"):
        Convert(precision="int8").apply(start, context)


@pytest.mark.slow
def test_a_saved_model_converts(keras: ModuleType, tmp_path: Path) -> None:
    models(keras)["multi_output"]().export(tmp_path / "saved", verbose=False)
    context, start = random_context(tmp_path / "saved")
    assert not start.network.editable
    converted = Convert(precision="int8").apply(start, context)
    assert distance(context.reference.evaluation_outputs, run(converted, context))["cosine"] > 0.98


@pytest.mark.parametrize("which", ["keras", "keras2"])
def test_models_trained_in_mixed_precision(request: pytest.FixtureRequest, which: str) -> None:
    layers = (library := request.getfixturevalue(which)).layers
    half = "mixed_float16"
    stack = [
        library.Input((8, 8, 3)),
        layers.Conv2D(8, 3, dtype=half),
        layers.BatchNormalization(dtype=half),
        layers.ReLU(dtype=half),
        layers.Flatten(dtype=half),
        layers.Dense(4, activation="softmax", dtype="float32"),
    ]
    model = library.Sequential(stack)
    context, start = random_context(model)
    inputs = context.reference.splits.evaluate.inputs
    assert np.allclose(np.asarray(model(inputs[0])), context.reference.evaluation_outputs[0], atol=0.01)
    converted = Convert(precision="float32").apply(start, context)
    assert distance(context.reference.evaluation_outputs, run(converted, context))["max_abs"] < 1e-5


def test_what_the_runtime_lacks_is_a_conversion_error(keras: ModuleType) -> None:
    inputs = keras.Input((8,))
    context, start = random_context(keras.Model(inputs, keras.ops.erfinv(keras.ops.tanh(inputs))))
    with pytest.raises(ConversionError, match=r"no operator for tf\.Erfinv, which layer .* \(Erfinv\) uses"):
        Convert(precision="float32").apply(start, context)


@pytest.fixture(scope="module")
def mostly_zero(context: Context, start: FloatModel) -> FloatModel:
    handle = copied(start.network.handle)
    for layer in handle.layers:
        if hasattr(layer, "kernel"):
            kernel = layer.kernel.numpy()
            layer.kernel.assign(kernel * (np.abs(kernel) > np.quantile(np.abs(kernel), 0.85)))
    return replace(start, network=keras_network(handle, "digits", True))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_zeros_are_left_out_of_float_files(
    context: Context, mostly_zero: FloatModel, precision: Precision
) -> None:
    dense = Convert(precision=precision).apply(mostly_zero, context)
    sparse = Convert(precision=precision, sparse=True).apply(mostly_zero, context)
    if (
        sparse.find(DenseFile) is None
    ):  # a runtime that cannot run it gets the dense file, and the user the reason
        assert sparse.flatbuffer == dense.flatbuffer and any(
            "stored densely" in n for n in [n.text for n in sparse.notes]
        )
        assert precision == "float16"
        return
    assert sparse.fact(DenseFile).content == dense.flatbuffer and len(sparse.flatbuffer) < 0.8 * len(
        dense.flatbuffer
    )
    pairs = zip(run(dense, context), run(sparse, context), strict=True)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_blocks_of_zeros_are_left_out_too(context: Context, start: FloatModel) -> None:
    handle = copied(start.network.handle)
    kernel = handle.get_layer("hidden").kernel
    keep = np.random.default_rng(0).random((kernel.shape[0] // 4, kernel.shape[1])) < 0.15
    kernel.assign(kernel.numpy() * np.repeat(keep, 4, axis=0))
    blocks = replace(start, network=keras_network(handle, "digits", True))
    sparse = Convert(precision="float32", sparse=True).apply(blocks, context)
    assert len(sparse.flatbuffer) < len(sparse.fact(DenseFile).content)


def test_sparse_int8_is_never_handed_out_unless_it_runs(context: Context, mostly_zero: FloatModel) -> None:
    given = Convert(precision="int8", sparse=True).apply(mostly_zero, context)
    dense = Convert(precision="int8").apply(mostly_zero, context)
    assert all(np.array_equal(a, b) for a, b in zip(run(dense, context), run(given, context), strict=True))
    if given.find(DenseFile) is None:
        assert any("zeros are stored densely" in note for note in [n.text for n in given.notes])


def test_zeros_are_stored_densely_for_a_gpu() -> None:
    """LiteRT's GPU accelerator computes wrong values from sparse weights."""
    config, gpu = Convert(precision="float32", sparse=True), load_device("android-gpu")
    note = config.unsupported(gpu)
    assert note is not None and "wrong values" in note.text and not config.resolve(config, gpu).sparse
    cpu = load_device("android-cpu")
    assert config.unsupported(cpu) is None and config.resolve(config, cpu).sparse


def test_a_dense_network_stays_dense(context: Context, start: FloatModel) -> None:
    kept = Convert(precision="float32", sparse=True).apply(start, context)
    assert kept.find(DenseFile) is None and any(
        "would not make the file smaller" in note for note in [n.text for n in kept.notes]
    )
