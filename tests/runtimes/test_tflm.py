from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tests.samples import random_samples
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.models.load import load_model
from tflite_compress.runtimes.arena import ArenaSize, find_smallest_arena
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.runtimes.tflm import (
    TFLMModel,
    find_minimal_arena,
    has_same_outputs,
    predict_raw,
    predict_raw_files,
)
from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite.flatbuffer import pack, schema, unpack

PORTS = (("left", "right"), ("small", "large"))


@pytest.fixture(scope="module")
def content(keras: ModuleType) -> bytes:
    keras.utils.set_random_seed(0)
    left, right = keras.Input((6,), name="left"), keras.Input((3,), name="right")
    both = keras.layers.Concatenate()([left, right])
    outputs = [keras.layers.Dense(2, name="small")(both), keras.layers.Dense(5, name="large")(both)]
    return build(keras.Model([left, right], outputs))


def build(model: Any) -> bytes:
    network = load_model(model).network
    settings = ConverterSettings(precision="int8", integer_io=True)
    return convert_network(network, settings, random_samples(network, 8), lambda n: None)[0]


def inputs(count: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    return tuple(rng.normal(size=(count, n)).astype(np.float32) for n in (6, 3))


def test_inputs_and_outputs_go_by_name_and_equal_litert(content: bytes) -> None:
    micro, litert = TFLMModel(content, *PORTS), LiteRTModel(content, *PORTS)
    for index in range(20):
        sample = tuple(x[index : index + 1] for x in inputs(20))
        found = micro.dequantize(micro.run(sample))
        litert.set_inputs(sample)
        litert.invoke()
        assert [y.shape for y in found] == [(1, 2), (1, 5)]
        assert all(np.allclose(a, b, atol=0.05) for a, b in zip(found, litert.outputs(), strict=True))


def test_the_minimal_arena_is_minimal(content: bytes) -> None:
    arena = find_minimal_arena(content)
    assert predict_raw(content, inputs(1), PORTS)
    TFLMModel(content, *PORTS, arena_bytes=arena).run(inputs(1))
    assert 512 < arena < 20_000
    assert find_smallest_arena(content, arena) == ArenaSize(arena)
    assert find_smallest_arena(content, arena - 32) is None


def test_different_files_are_told_apart(keras: ModuleType, content: bytes) -> None:
    assert has_same_outputs(content, content, inputs(5), PORTS)
    left, right = keras.Input((6,), name="left"), keras.Input((3,), name="right")
    both = keras.layers.Concatenate()([left, right])
    other = keras.Model(
        [left, right], [keras.layers.Dense(n, name=f)(both) for n, f in ((2, "small"), (5, "large"))]
    )
    assert not has_same_outputs(content, build(other), inputs(5), PORTS)


def test_files_run_in_one_process_up_to_the_first_that_is_refused(content: bytes) -> None:
    model = unpack(content)
    model.operatorCodes[0].builtinCode = schema().BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = b"Unknown"
    model.operatorCodes[0].deprecatedBuiltinCode = schema().BuiltinOperator.CUSTOM
    first, second = predict_raw_files((content, pack(model), content), inputs(2), PORTS)
    expected = predict_raw(content, inputs(2), PORTS)
    assert isinstance(first, list) and isinstance(second, ConversionError)
    assert all(
        np.array_equal(a, b) for x, y in zip(first, expected, strict=True) for a, b in zip(x, y, strict=True)
    )
    assert "TFLite Micro refuses the model" in second.message


def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ConversionError):
        TFLMModel(b"no model at all, but long enough", *PORTS)


def test_a_crash_of_the_interpreter_is_an_error_here(content: bytes) -> None:
    """TFLite Micro aborts where a Softmax has a scale far below what int8 can hold."""
    from tflite_compress.tflite.flatbuffer import pack, schema, unpack

    model = unpack(content)
    generated = schema()
    code = generated.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = generated.BuiltinOperator.SOFTMAX
    code.version = 2
    model.operatorCodes.append(code)
    graph = model.subgraphs[0]
    source = graph.tensors[graph.outputs[0]]
    present(source.quantization).scale = [7.8e-9]
    target = generated.TensorT()
    target.shape, target.type, target.buffer, target.name = (
        list(present(source.shape)),
        source.type,
        0,
        b"probabilities",
    )
    target.quantization = generated.QuantizationParametersT()
    target.quantization.scale, target.quantization.zeroPoint = [1 / 256], [-128]
    graph.tensors.append(target)
    op = generated.OperatorT()
    op.opcodeIndex = len(model.operatorCodes) - 1
    op.inputs, op.outputs = [int(graph.outputs[0])], [len(graph.tensors) - 1]
    op.builtinOptionsType = generated.BuiltinOptions.SoftmaxOptions
    op.builtinOptions = generated.SoftmaxOptionsT()
    op.builtinOptions.beta = 1.0
    graph.operators.append(op)
    graph.outputs = [len(graph.tensors) - 1, *(int(i) for i in graph.outputs[1:])]
    model.signatureDefs = None
    with pytest.raises(ConversionError, match="crashes on the model"):
        predict_raw(pack(model), inputs(1), PORTS)
