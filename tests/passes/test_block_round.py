"""Networks are divided into blocks, and rounding learned over a block is on the grid and helps."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tflite_compress.models.network import keras_network
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms.block_rounding import inputs_of, learn_block, outputs_of, part_of
from tflite_compress.passes.algorithms.blocks import Block, find_blocks
from tflite_compress.passes.algorithms.held_out import learning_and_judging
from tflite_compress.passes.algorithms.learned_rounding import step_grid
from tflite_compress.passes.algorithms.quality import keep_if_better
from tflite_compress.passes.block_round import BlockRound
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.values import LayerTypes

STEPS = 200


@pytest.fixture(scope="module")
def residual(keras2: ModuleType) -> Any:
    """A stem, a residual block with a shortcut and a dense layer."""
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    inputs = keras2.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", name="stem")(inputs)
    x = layers.ReLU(name="stem_relu")(x)
    y = layers.Conv2D(8, 3, strides=2, padding="same", name="first")(x)
    y = layers.ReLU(name="first_relu")(y)
    y = layers.Conv2D(8, 3, padding="same", name="second")(y)
    short = layers.Conv2D(8, 1, strides=2, name="short")(x)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([y, short]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras2.Model(inputs, layers.Dense(4, activation="softmax", name="last")(x))


ALL = ("stem", "first", "second", "short", "last")


def test_blocks_end_where_one_tensor_goes_on(residual: Any) -> None:
    single = find_blocks(residual, ALL, 1)
    assert [{*block.names} for block in single] == [{"stem"}, {"first", "second", "short"}, {"last"}]
    assert [(b.entry, b.exit) for b in single][1:] == [("stem_relu", "sum_relu"), ("sum_relu", "last")]
    assert [len(block.names) for block in find_blocks(residual, ALL, 4)] == [4, 1]
    assert [len(block.names) for block in find_blocks(residual, ALL, 5)] == [5]
    (only,) = find_blocks(residual, ("first",), 3)
    assert only == Block(("first",), "stem_relu", "sum_relu")


def test_a_network_with_two_outputs_ends_in_one_block(keras2: ModuleType) -> None:
    layers = keras2.layers
    inputs = keras2.Input((5,))
    x = layers.Dense(4, activation="relu", name="body")(inputs)
    model = keras2.Model(inputs, [layers.Dense(2, name="left")(x), layers.Dense(3, name="right")(x)])
    blocks = find_blocks(model, ("body", "left", "right"), 1)
    assert blocks == [Block(("body",), blocks[0].entry, "body"), Block(("left", "right"), "body", None)]
    part = part_of(model, blocks[1], True)
    assert [y.shape for y in outputs_of(part, (np.zeros((7, 4), np.float32),))] == [(7, 2), (7, 3)]


def test_rounding_learned_over_a_block_beats_rounding_to_nearest(residual: Any) -> None:
    block = find_blocks(residual, ALL, 1)[1]
    rng = np.random.default_rng(0)
    alike = rng.normal(size=(64, 8, 8, 2)) @ rng.normal(size=(2, 6))  # channels depend on each other
    given = (alike.clip(0).astype(np.float32),)
    part = part_of(residual, block, False)
    wanted = outputs_of(part, given)
    grids = {name: step_grid(residual.get_layer(name), 4, True) for name in block.names}
    config = BlockRound(steps=400, learning_rate=0.05)
    found = learn_block(part, grids, given, wanted, config, 0, lambda n: None)
    errors = []
    for weights in (found, {n: _nearest(residual.get_layer(n), grids[n]) for n in grids}):
        rounded = part_of(residual, block, False)
        for name, values in weights.items():
            rounded.get_layer(name).set_weights(values)
        errors.append(float(np.mean((outputs_of(rounded, given)[0] - wanted[0]) ** 2)))
    assert errors[0] < 0.6 * errors[1]
    for kernel, _ in found.values():  # what the converter computes the scales from
        scale = np.abs(kernel).max(axis=(0, 1, 2)) / 7
        assert np.allclose(kernel / scale, np.rint(kernel / scale), atol=1e-3)


def test_rounding_is_learned_from_what_the_first_block_reads(keras2: ModuleType) -> None:
    keras2.utils.set_random_seed(0)
    layers = keras2.layers
    inputs = keras2.Input((8,))
    x = layers.Dense(6, activation="relu", name="body")(
        layers.Rescaling(0.01, offset=-1.0, name="scale")(inputs)
    )
    model = keras2.Model(inputs, layers.Dense(3, name="head")(x))
    values = np.random.default_rng(0).uniform(0, 200, (20, 8)).astype(np.float32)
    (block,) = find_blocks(model, ("body", "head"), 2)
    assert block.entry == "scale"
    given = inputs_of(model, block, (values,))
    np.testing.assert_allclose(given[0], values * 0.01 - 1, atol=1e-5)
    found = outputs_of(part_of(model, block, True), given)
    np.testing.assert_allclose(found[0], model.predict(values, verbose=0), atol=1e-5)
    whole = Block(("body", "head"), None, None)
    assert inputs_of(model, whole, (values,))[0] is values


def _nearest(layer: Any, grid: Any) -> list[np.ndarray]:
    kernel, bias = layer.get_weights()
    return [np.clip(np.rint(kernel / grid.scale), -7, 7) * grid.scale, bias]


def test_samples_to_judge_by_are_not_those_to_learn_from(context: Context) -> None:
    learning, judging = (c.reference.splits.calibrate for c in learning_and_judging(context, 400))
    assert len(learning) == 400
    rows = [{x.tobytes() for x in part.inputs[0]} for part in (learning, judging)]
    assert not rows[0] & rows[1]


def test_outputs_that_agree_less_are_not_kept(start: FloatModel, context: Context) -> None:
    rough = start.with_fact(LayerTypes(dict.fromkeys(("conv_2", "conv_3", "hidden", "digit"), "int4")))
    _, judging = learning_and_judging(context, 400)
    config = BlockRound(precision="int8")
    found = keep_if_better("a pass", rough, start, config, context, judging)
    assert found.facts == start.facts and any(n.code == "repair-helped" for n in found.notes)
    assert keep_if_better("a pass", start, rough, config, context, judging).facts == start.facts
    same = keep_if_better("a pass", start, replace(start), config, context, judging)
    assert any(n.code == "pass-left-out" for n in same.notes), "equal outputs are no repair"


@pytest.mark.slow
def test_block_rounding_is_kept_only_if_it_helps(start: FloatModel, context: Context) -> None:
    four = Int4(precision="int8", max_calibration_drop=1.0).apply(start, context)
    done = BlockRound(precision="int8", steps=STEPS).apply(four, context)
    (text,) = (n.text for n in done.notes if n.text.startswith("block_round"))
    assert "on samples that it did not learn from" in text
    assert ("helped" in text) == (done.network is not four.network)
    fixed = replace(start.network, editable=False, why_not_editable="it is frozen")
    left = BlockRound(precision="int8").apply(FloatModel(fixed), context)
    assert left.network is fixed and "it is frozen" in left.notes[-1].text


def test_a_target_size_is_reached_with_the_least_noise(start: FloatModel, context: Context) -> None:
    half = Int4(precision="int8", target_size=0.75).apply(start, context)
    texts = [n.text for n in half.notes]
    chosen = half.fact(LayerTypes).by_layer
    assert 0 < len(chosen) < 4 and {*chosen.values()} == {"int4"}
    assert any("those of 8-bit weights; target 0.75" in text for text in texts), texts
    beyond = Int4(precision="int8", target_size=0.1).apply(start, context)
    assert len(beyond.fact(LayerTypes).by_layer) > len(chosen)
    assert any(n.code == "target-size-missed" and n.severity == "warning" for n in beyond.notes)
    assert keras_network(start.network.handle, "same", True).outputs == half.network.outputs
