"""Blocks of a network with fewer channels, brought closer to the original's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tflite_compress.channels.dependencies import trace
from tflite_compress.channels.rebuild import without_channels
from tflite_compress.models.copying import copied
from tflite_compress.models.network import keras_network
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms import block_reconstruction, channel_reconstruction
from tflite_compress.passes.algorithms.block_reconstruction import Samples, reconstruct_blocks
from tflite_compress.passes.oneshot_channels import OneshotChannels
from tflite_compress.support.backend import tf_keras
from tflite_compress.support.time_budget import TimeBudget


def sums() -> Any:
    """A network whose two channels add up: one channel that adds its inputs computes the same."""
    keras = tf_keras()
    inputs = keras.Input((4, 2))
    x = keras.layers.Dense(2, name="each")(inputs)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dense(2, name="middle")(x)
    x = keras.layers.ReLU()(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="sum")(x))
    for name, bias in (("each", 3.0), ("middle", 0.0)):
        model.get_layer(name).set_weights([np.eye(2, dtype=np.float32), np.full(2, bias, np.float32)])
    model.get_layer("sum").set_weights([np.ones((2, 1), np.float32), np.zeros(1, np.float32)])
    return model


def around_zero(samples: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (samples, 4, 2)).astype(np.float32)


def cut(original: Any, layer: str) -> tuple[Any, Any, np.ndarray]:
    """Return the network without the second channel of a layer, the channels and which stay."""
    dependencies = trace(original)
    keep = np.ones(dependencies.count, bool)
    keep[int(dependencies.groups(dependencies.outputs[layer])[1])] = False
    return without_channels(original, dependencies, keep), dependencies, keep


def test_layers_before_those_that_read_removed_channels_change_too(context: Context) -> None:
    original = copied(sums())
    smaller, dependencies, keep = cut(original, "middle")
    x = around_zero(64)
    reconstruct_blocks(original, smaller, (dependencies, keep), Samples((x,), (x,)), 150, context)
    wanted, found = (keras_network(m, "made", True).predict((x,))[0] for m in (original, smaller))
    assert np.max(np.abs(wanted - x.sum(axis=2, keepdims=True) - 6)) < 1e-5
    assert np.mean((found - wanted) ** 2) < 0.02  # 0.33 with the filter as it was
    each, middle = (smaller.get_layer(name).kernel.numpy() for name in ("each", "middle"))
    first, second = (each @ middle)[:, 0]
    assert second == pytest.approx(first, rel=0.15)  # what was [1, 0] adds both inputs


def test_a_block_is_compared_in_the_channels_that_stay(context: Context, monkeypatch: Any) -> None:
    monkeypatch.setattr(block_reconstruction, "BLOCK_LAYERS", 1)
    original = copied(sums())
    smaller, dependencies, keep = cut(original, "middle")
    before = {name: smaller.get_layer(name).get_weights() for name in ("each", "middle", "sum")}
    x = around_zero(64)
    reconstruct_blocks(original, smaller, (dependencies, keep), Samples((x,), (x,)), 9, context)
    same = {
        name: all(
            np.array_equal(*pair) for pair in zip(was, smaller.get_layer(name).get_weights(), strict=True)
        )
        for name, was in before.items()
    }
    assert same == {"each": True, "middle": True, "sum": False}


def test_no_block_changes_after_the_time_is_used(context: Context) -> None:
    original = copied(sums())
    smaller, dependencies, keep = cut(original, "each")
    before, late = smaller.get_weights(), replace(context, budget=TimeBudget(0))
    x = around_zero(8)
    reconstruct_blocks(original, smaller, (dependencies, keep), Samples((x,), (x,)), 9, late)
    assert all(np.array_equal(*pair) for pair in zip(before, smaller.get_weights(), strict=True))


def test_a_block_that_comes_no_closer_on_other_samples_keeps_its_weights(
    context: Context, monkeypatch: Any
) -> None:
    monkeypatch.setattr(block_reconstruction, "MAX_RATE", 50.0)
    monkeypatch.setattr(block_reconstruction, "RATE", 50.0)
    original = copied(sums())
    smaller, dependencies, keep = cut(original, "middle")
    before, x = smaller.get_weights(), around_zero(64)
    reconstruct_blocks(original, smaller, (dependencies, keep), Samples((x,), (x,)), 1, context)
    assert all(np.array_equal(*pair) for pair in zip(before, smaller.get_weights(), strict=True))


@pytest.mark.slow
def test_the_network_is_kept_as_it_was_if_blocks_did_harm(
    context: Context, start: FloatModel, monkeypatch: Any
) -> None:
    config = OneshotChannels(target_macs=0.8, samples=32, steps=1, multiple=4)

    def zeroed(original: Any, smaller: Any, *rest: object) -> None:
        smaller.set_weights([0 * weight for weight in smaller.get_weights()])

    monkeypatch.setattr(channel_reconstruction, "reconstruct_blocks", zeroed)
    undone = config.apply(start, context)
    assert any("reconstructing blocks was undone" in note.text for note in undone.notes)
    assert all(weights.any() for weights in undone.network.handle.get_layer("conv_2").get_weights()[:1])
