from __future__ import annotations

import numpy as np

from tflite_compress.decode.ancillary import Encoded
from tflite_compress.decode.choose import Weights
from tflite_compress.decode.weigh import PlainFile, Rule, ratios, worth_encoding


def tensor(weights: int) -> Weights:
    return Weights(np.zeros(weights, np.int8), np.zeros(1, np.int64), 0)


def huffman(weights: int, bits: float) -> Encoded:
    return Encoded("huffman", bytes(int(weights * bits / 8)), b"table")


# The autoencoder of 640-128-128-128-128-8-128-128-128-128-640: each weight is used once in an inference.
DENSE = {0: tensor(81_920), **{i: tensor(16_384) for i in range(1, 7)}, 7: tensor(81_920)}
AUTOENCODER = PlainFile(293_792, 21_500, 264_000)


def encoded(tensors: dict[int, Weights], bits: float) -> dict[int, Encoded]:
    return {index: huffman(weights.values.size, bits) for index, weights in tensors.items()}


def test_a_tenth_of_the_bytes_is_not_worth_ten_times_the_time_of_dense_layers() -> None:
    size, time, ram = ratios(encoded(DENSE, 7.2), DENSE, AUTOENCODER)
    assert 0.9 < size < 0.93 and 9 < time < 11 and 4 < ram < 6
    assert worth_encoding(encoded(DENSE, 7.2), DENSE, AUTOENCODER, Rule()) == {}


def test_two_thirds_of_the_bytes_are_worth_it() -> None:
    assert len(worth_encoding(encoded(DENSE, 1.8), DENSE, AUTOENCODER, Rule())) == 8
    assert not worth_encoding(encoded(DENSE, 1.8), DENSE, AUTOENCODER, Rule(time_weight=1))


def test_a_convolution_reuses_what_it_decodes_and_a_dense_layer_does_not() -> None:
    """40,000 weights used at 196 positions, and 40,000 that are used once."""
    tensors = {0: tensor(40_000), 1: tensor(40_000)}
    plain = PlainFile(90_000, 30_000, 40_000 * 2)
    assert not worth_encoding(encoded(tensors, 4.5), tensors, plain, Rule())
    reused = PlainFile(90_000, 30_000, 40_000 * 197)
    assert set(worth_encoding(encoded(tensors, 4.5), tensors, reused, Rule())) == {0, 1}


def test_the_tensor_that_costs_most_for_its_bytes_stays_plain() -> None:
    tensors = {0: tensor(40_000), 1: tensor(40_000)}
    chosen = {0: huffman(40_000, 2.0), 1: huffman(40_000, 7.7)}
    plain = PlainFile(90_000, 30_000, 1_000_000)
    assert set(worth_encoding(chosen, tensors, plain, Rule())) == {0}
    assert set(worth_encoding(chosen, tensors, plain, Rule(time_weight=0, ram_weight=0))) == {0, 1}


def test_ram_counts_too() -> None:
    tensors = {0: tensor(40_000)}
    chosen, plain = {0: huffman(40_000, 3.0)}, PlainFile(90_000, 10_000, 40_000 * 196)
    assert worth_encoding(chosen, tensors, plain, Rule()) and not worth_encoding(
        chosen, tensors, plain, Rule(ram_weight=0.3)
    )


def test_savings_below_the_minimum_are_refused() -> None:
    tensors = {0: tensor(10_000)}
    chosen, plain = {0: huffman(10_000, 2.0)}, PlainFile(90_000, 30_000, 10_000_000)
    assert worth_encoding(chosen, tensors, plain, Rule(min_saving=0.05))
    assert worth_encoding(chosen, tensors, plain, Rule()) == {}
