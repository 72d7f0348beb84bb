"""Names that the converter gives to tensors lead back to layers of the Keras model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tflite_compress.tflite.layer_names import KerasLayer, LayerTable, layer_name, own_name


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("net_1/conv_1/Relu;net_1/bn_1/FusedBatchNormV3;net_1/conv_1/Conv2D", "conv_1"),
        ("StatefulPartitionedCall/net/dense/BiasAdd", "dense"),
        ("net/block1a_bn/batchnorm/mul_1", "block1a_bn"),
        ("net/sep_1/separable_conv2d/depthwise1", "sep_1"),
        ("serving_default_x:0", "serving_default_x:0"),
        ("", ""),
    ],
)
def test_layer_names(long: str, short: str) -> None:
    assert layer_name(long) == short


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("net/relu/Relu;net/bn/batchnorm/add_1;net/conv/Conv2D", "conv"),
        ("net/relu/Relu;net/bn/batchnorm/add_1;net/conv/Conv2D12", "conv"),
        ("net/relu/Relu6;net/bn/batchnorm/mul_1;net/dw/depthwise1", "dw"),
        ("net/activation_28/Relu;net/sep_1/separable_conv2d", "sep_1"),
    ],
)
def test_the_operation_with_weights_names_an_operator(long: str, short: str) -> None:
    assert own_name(long, "CONV_2D") == short
    assert own_name(long, "ADD") == layer_name(long)


TABLE = LayerTable(
    {
        "separable_conv2d": KerasLayer("separable_conv2d", frozenset({27, 24})),
        "separable_conv2d_1": KerasLayer("separable_conv2d_1", frozenset({72, 64})),
        "quant_dense": KerasLayer("dense", frozenset({40})),
        "relu": KerasLayer("relu", frozenset()),
        "net": KerasLayer("net", frozenset({5})),
    }
)


def found(name: str) -> list[str]:
    return [layer.name for layer in TABLE._found(name)]


def test_a_layer_is_found_by_its_place_in_the_path() -> None:
    assert found("net/separable_conv2d_1/separable_conv2d/depthwise1") == ["separable_conv2d_1"]
    assert found("net/separable_conv2d/separable_conv2d") == ["separable_conv2d"]
    assert found("net/relu/Relu;net/quant_dense/MatMul2") == ["relu", "dense"]


def test_a_model_and_a_layer_may_have_the_same_name() -> None:
    assert found("net/relu/Relu") == ["relu"]
    assert found("net/net/MatMul") == ["net"]
    assert found("net") == ["net"]  # as slimming writes it


def test_the_second_call_of_a_shared_layer_belongs_to_it() -> None:
    assert found("net/relu_1/Relu") == ["relu"]
    assert found("model/other_1/Relu") == []


def test_an_operator_without_outputs_belongs_to_no_layer() -> None:
    op: Any = SimpleNamespace(outputs=[], inputs=[], opcodeIndex=0)
    code = SimpleNamespace(builtinCode=129, deprecatedBuiltinCode=127, customCode=None)  # CALL_ONCE
    model: Any = SimpleNamespace(operatorCodes=[code], buffers=[])
    graph: Any = SimpleNamespace(tensors=[])
    assert TABLE.layer_of(model, graph, op) == ""
    assert TABLE.members_of(model, graph, op) == ()
