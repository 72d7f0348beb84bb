"""OCTAV and GPTQ of litert-quantizer round 4-bit weights of the operators that they support."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tflite_compress.conversion import LayerType, WeightRounding, weight_rounding
from tflite_compress.conversion.per_layer import Plain, prepare, quantized
from tflite_compress.conversion.weight_rounding import algorithm_of, possible_roundings
from tflite_compress.models.load import load_model
from tflite_compress.models.network import Network
from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.runtimes.litert import predict
from tflite_compress.runtimes.tflm import TFLMModel
from tflite_compress.tflite.flatbuffer import type_name
from tflite_compress.tflite.macs import constant


@pytest.fixture(scope="module")
def network(keras2: ModuleType) -> Network:
    keras2.utils.set_random_seed(0)
    return load_model(keras2.Sequential([keras2.Input((32,)), keras2.layers.Dense(16)])).network


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Inputs that depend on each other, so that some weights can make up for others."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(64, 4)) @ rng.normal(size=(4, 32))).astype(np.float32)


@pytest.fixture(scope="module")
def plain(network: Network, samples: np.ndarray) -> Plain:
    return prepare(network, (samples,), False)


def test_the_library_says_which_operators_an_algorithm_has() -> None:
    assert [algorithm_of(r, "CONV_2D") for r in ("octav", "gptq_octav")] == ["OCTAV", "OCTAV"]
    assert algorithm_of("gptq", "CONV_2D") == algorithm_of("nearest", "CONV_2D")
    assert [algorithm_of(r, "FULLY_CONNECTED") for r in ("gptq", "gptq_octav")] == ["GPTQ", "GPTQ"]


def test_no_two_possible_roundings_give_the_same_file(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert possible_roundings(plain, ["CONV_2D"]) == ("nearest", "octav")
    assert possible_roundings(plain, ["FULLY_CONNECTED"]) == ("nearest", "octav", "gptq")
    assert len(possible_roundings(plain, ["CONV_2D", "FULLY_CONNECTED"])) == 4
    monkeypatch.setattr(weight_rounding, "MAX_DEPTH", 31)
    assert possible_roundings(plain, ["FULLY_CONNECTED"]) == ("nearest", "octav")


def test_gptq_reads_the_products_of_the_inputs(plain: Plain, samples: np.ndarray) -> None:
    (found,) = plain.input_products.values()
    np.testing.assert_allclose(found, 2 * samples.T @ samples / len(samples), rtol=1e-4, atol=1e-3)


def test_gptq_makes_up_for_errors_of_other_weights(
    network: Network, plain: Plain, samples: np.ndarray
) -> None:
    wanted = network.predict((samples,))[0]
    types: dict[str, LayerType] = {layer.name: "int4" for layer in plain.layers if layer.weights}

    def error(rounding: WeightRounding) -> float:
        made = quantized(plain, "int8", types, "minmax", False, True, rounding)
        return float(np.mean((predict(made.content, (samples,), *network.tensor_names)[0] - wanted) ** 2))

    products = {name: product.copy() for name, product in plain.input_products.items()}
    assert error("gptq") < error("nearest") / 2
    assert error("octav") not in (error("nearest"), error("gptq"))
    for name, product in plain.input_products.items():
        np.testing.assert_array_equal(product, products[name])


def test_depthwise_convolutions_get_4_bits_with_the_right_values(keras2: ModuleType) -> None:
    keras2.utils.set_random_seed(0)
    layer = keras2.layers.DepthwiseConv2D(3, name="depthwise")
    model = keras2.Sequential([keras2.Input((6, 6, 8)), layer])
    steps = np.random.default_rng(0).integers(-7, 8, (3, 3, 8, 1))
    steps[0, 0] = 7  # the scale of each channel follows from its largest weight
    layer.set_weights([(steps * np.linspace(0.01, 0.03, 8).reshape(8, 1)).astype(np.float32), np.zeros(8)])
    network = load_model(model).network
    x = np.random.default_rng(1).normal(size=(20, 6, 6, 8)).astype(np.float32)
    made = quantized(prepare(network, (x,), False), "int8", {"depthwise": "int4"}, "minmax", False)
    loaded = LoadedModel(made.content)
    (op,) = (op for op in loaded.operators if op.kind == "DEPTHWISE_CONV_2D")
    tensor = loaded.graph.tensors[op.inputs[1]]
    assert type_name(tensor.type) == "INT4"
    np.testing.assert_array_equal(constant(tensor, loaded.tree), steps.reshape(1, 3, 3, 8))
    wanted = network.predict((x,))[0]
    for found in (predict(made.content, (x,), *network.tensor_names)[0], micro(made.content, x, network)):
        assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()


def micro(content: bytes, x: np.ndarray, network: Network) -> np.ndarray:
    model = TFLMModel(content, *network.tensor_names)
    return np.concatenate([model.dequantize(model.run((sample[np.newaxis],)))[0] for sample in x])
