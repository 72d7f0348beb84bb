from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tests.needs import slow
from tests.passes.test_convert import random_context
from tflite_compress.decode.insert import decoded_tensors
from tflite_compress.passes import Context, ConvertedModel, FloatModel
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.encode import Encode
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.slim import Slim
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import Encoding, EncodingChoice, same_model
from tflite_compress.runtimes.tflm import TFLMModel, predict_raw
from tflite_compress.support.errors import ConversionError

QUICK: dict[str, Any] = {"training": Training(epochs=1, min_steps=20)}


@pytest.fixture(scope="module")
def compact(context: Context, start: FloatModel) -> ConvertedModel:
    """Sparse, clustered, int8: something for every encoding."""
    sparse = Prune(sparsity=0.7, schedule="polynomial", frequency=3, **QUICK).apply(start, context)
    model = Convert(precision="int8").apply(Cluster(**QUICK).apply(sparse, context), context)
    return Slim().apply(model, context)


@pytest.mark.parametrize("encode", ["auto", "lut", slow("prune"), slow("huffman")])
def test_the_encoded_file_is_smaller_and_equal(
    context: Context, compact: ConvertedModel, encode: Any
) -> None:
    encoded = Encode(encode=encode).apply(compact, context)
    assert encoded.fact(Encoding).plain == compact.flatbuffer
    assert len(encoded.flatbuffer) < 0.8 * len(compact.flatbuffer)
    assert decoded_tensors(encoded.flatbuffer) == sum(encoded.fact(Encoding).kinds.values()) > 0
    assert encode in ("auto", *encoded.fact(Encoding).kinds)
    inputs = tuple(x[:128] for x in context.reference.splits.evaluate.inputs)
    before, after = (
        predict_raw(c, inputs, compact.network.tensor_names) for c in (compact.flatbuffer, encoded.flatbuffer)
    )
    assert len(before) == 128 and all(np.array_equal(a[0], b[0]) for a, b in zip(before, after, strict=True))
    assert len({a[0].tobytes() for a in before}) > 30  # the samples do differ
    TFLMModel(
        encoded.flatbuffer,
        *compact.network.tensor_names,
        arena_bytes=encoded.fact(Encoding).encoded_arena_bytes,
    )


@pytest.mark.slow
def test_automatic_is_no_larger_than_any_other(context: Context, compact: ConvertedModel) -> None:
    sizes = {kind: len(Encode(encode=kind).apply(compact, context).flatbuffer) for kind in KINDS}
    assert sizes["auto"] <= 1.02 * min(sizes.values())


KINDS: list[Any] = ["auto", "lut", "prune", "huffman"]


@pytest.mark.slow
def test_a_small_arena_keeps_large_tensors_plain(context: Context, compact: ConvertedModel) -> None:
    free = Encode().apply(compact, context)
    tight = Encode(arena_limit_bytes=1).apply(compact, context)
    encoding = tight.find(Encoding)
    encoded = 0 if encoding is None else sum(encoding.kinds.values())
    assert sum(free.fact(Encoding).kinds.values()) > encoded
    if encoding is not None:
        assert encoding.encoded_arena_bytes <= encoding.plain_arena_bytes
        assert any("would not fit into the arena" in note for note in [n.text for n in tight.notes])


def test_what_does_not_pay_is_left_and_said(context: Context, start: FloatModel) -> None:
    plain = Convert(precision="float32").apply(start, context)
    found = Encode(encode="prune").apply(plain, context)
    assert found.flatbuffer == plain.flatbuffer and found.find(Encoding) is None
    assert any("no encoding would make the file smaller" in note for note in [n.text for n in found.notes])
    assert Encode(encode="none").apply(plain, context) is plain


@pytest.mark.slow
def test_a_small_saving_is_refused_with_its_price_and_kept_where_it_is_asked_for(keras: ModuleType) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((64,), name="features")
    x = layers.Dense(200, activation="relu")(layers.Dense(64, activation="relu", name="few")(inputs))
    model = keras.Model(inputs, layers.Dense(64, name="last")(x))
    kernel = model.get_layer("few").weights[0]
    kernel.assign(np.round(kernel.numpy() * 20) / 20)
    context, start = random_context(model)
    plain = Convert(precision="int8").apply(start, context)
    asked = Encode(encode="lut").apply(plain, context)
    assert asked.find(Encoding)
    assert 0.9 * len(plain.flatbuffer) < len(asked.flatbuffer) < len(plain.flatbuffer)
    found = Encode().apply(plain, context)
    assert found.flatbuffer == plain.flatbuffer and found.find(Encoding) is None and same_model(plain, found)
    choice = present(found.find(EncodingChoice))
    assert not choice.is_encoded and choice.figures.encoded_bytes < len(plain.flatbuffer)
    [note] = [n for n in [n.text for n in found.notes] if "not encoded" in n]
    assert re.search(r"the file would be \d\.\d% smaller, for \d+\.\dx the time and \d+\.\dx the arena", note)


def test_a_model_tflite_micro_refuses_is_left_and_said(context: Context, start: FloatModel) -> None:
    hybrid = Convert(precision="dynamic").apply(start, context)
    found = Encode().apply(hybrid, context)
    assert found.flatbuffer == hybrid.flatbuffer
    assert any("TFLite Micro refuses" in note for note in [n.text for n in found.notes])


def test_several_inputs_and_a_shared_constant(keras: ModuleType) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    a, b = keras.Input((64,), name="a"), keras.Input((64,), name="b")
    shared = layers.Dense(64, name="shared", activation="relu")
    outputs = [layers.Dense(3, name="p")(shared(a)), layers.Dense(2, name="q")(shared(b))]
    model = keras.Model([a, b], outputs)
    for weight in model.get_layer("shared").weights[:1]:
        weight.assign(np.round(weight.numpy() * 20) / 20)
    context, start = random_context(model)
    encoded = Encode(encode="lut").apply(Convert(precision="int8").apply(start, context), context)
    assert encoded.fact(Encoding).equal_on_samples >= 100


def test_it_comes_after_the_conversion(context: Context, start: FloatModel) -> None:
    with pytest.raises(ConversionError, match="'encode' comes before the conversion"):
        Encode().run(start, context)
