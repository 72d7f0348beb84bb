"""Which differences between runtimes rounding explains."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.timing.models import dense
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.compare import compare, measure_gaps
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.runtimes.tolerances import find_tolerances
from tflite_compress.tflite.flatbuffer import schema, unpack
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.tflite.tree import ModelTree


def classifier(scales: tuple[float, float] | None) -> ModelTree:
    """A dense layer before a SOFTMAX; int8 with the scales of logits and output, or float32."""
    g, tree = schema(), unpack(dense(4))
    code, op = g.OperatorCodeT(), tree.subgraphs[0].operators[1]
    code.builtinCode = code.deprecatedBuiltinCode = g.BuiltinOperator.SOFTMAX
    tree.operatorCodes.append(code)
    options = g.SoftmaxOptionsT()
    options.beta = 1.0
    op.opcodeIndex, op.inputs, op.builtinOptions = 1, [2], options
    op.builtinOptionsType = g.BuiltinOptions.SoftmaxOptions
    for index, scale in zip((2, 4), scales or (), strict=False):
        tensor = tree.subgraphs[0].tensors[index]
        tensor.type, tensor.quantization = g.TensorType.INT8, g.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [-128]
    return tree


def test_the_same_kernels_differ_by_one_step() -> None:
    raw = np.array([[-128, 0, 0, 127]], np.int8)
    (found,) = find_tolerances(classifier((0.2, 1 / 256)), (raw,), "same kernels")
    assert np.allclose(found.values, 1) and found.rule == "1 step of 0.00391"
    float32 = np.array([[0.0, 2.0, -4.0, 1.0]], np.float32)
    (found,) = find_tolerances(unpack(dense(4)), (float32,), "same kernels")
    assert np.allclose(found.values, 4e-4) and "range of 4" in found.rule


def test_steps_before_a_softmax_move_probabilities() -> None:
    """Three steps of 0.2 change the odds by at most exp(1.2): 0.5 becomes 0.769, 0 stays 0."""
    raw = np.array([[-128, 0, 0, -128]], np.int8)
    (found,) = find_tolerances(classifier((0.2, 1 / 256)), (raw,), "other kernels")
    moved = 256 * (1 / (1 + np.exp(-1.2)) - 0.5)
    assert np.allclose(found.values, [[1, moved + 1, moved + 1, 1]]) and "before SOFTMAX" in found.rule


def test_float_networks_differ_little_with_other_kernels() -> None:
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    (found,) = find_tolerances(classifier(None), (probabilities,), "other kernels")
    assert np.allclose(found.values, 0.4e-3)


def test_integers_without_a_scale_must_be_equal() -> None:
    tree = unpack(dense(4))
    tree.subgraphs[0].tensors[4].type = schema().TensorType.INT32
    (found,) = find_tolerances(tree, (np.array([[1, 2, 3, 4]], np.int32),), "other kernels")
    assert not found.values.any()


def test_gaps_of_infinities_and_nan() -> None:
    a = np.array([np.inf, np.nan, np.nan, 1.0, -np.inf])
    b = np.array([np.inf, np.nan, 0.0, 1.5, np.inf])
    assert measure_gaps(a, b).tolist() == [0, 0, np.inf, 0.5, np.inf]


@pytest.mark.parametrize(("added", "same"), [(0.0, True), (0.52, False)])
def test_reference_kernels_may_differ_too(added: float, same: bool) -> None:
    content = dense(4)
    real: Runtime = host_runtime(seconds=0)

    def wrong(model: bytes, inputs: Arrays) -> RunResult:
        result = real(model, inputs)
        assert result.outputs is not None
        return dataclasses.replace(result, outputs=(result.outputs[0] + np.float32(added),))

    runtimes = {"litert": real, "litert-reference": wrong}
    inputs = random_data(read_signature(content), 2).raw
    found = compare(content, inputs, runtimes)[1]
    assert found.is_same is same and found.difference is not None
    assert found.difference.value == pytest.approx(added, abs=1e-6) and 0 < found.difference.tolerance < 0.01
