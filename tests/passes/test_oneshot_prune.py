"""Pruning without training, and the closed forms behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tflite_compress.models.copying import copied
from tflite_compress.models.network import keras_network
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms.layer_grams import (
    Grams,
    as_kernel,
    as_matrices,
    gather_grams,
    split_rows,
)
from tflite_compress.passes.algorithms.reconstruction import removed_step_by_step
from tflite_compress.passes.algorithms.sparsity_allocation import LayerCurve, allocate
from tflite_compress.passes.oneshot_prune import OneshotPrune
from tflite_compress.passes.values import Sparsity
from tflite_compress.support.backend import tf_keras
from tflite_compress.support.errors import ModelError


def correlated(count: int, rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal((count, rows)) @ rng.standard_normal((rows, rows)))


def grams_of(x: np.ndarray) -> Grams:
    gram = (x.T @ x)[None]
    return Grams(gram, gram)


def test_one_removed_weight_is_the_best_of_all() -> None:
    x, weights = correlated(200, 5), np.random.default_rng(1).standard_normal((5, 1))
    (found,) = removed_step_by_step(grams_of(x), weights[None], (0.2,))
    y, errors = x @ weights, []
    for removed in range(5):
        kept = [row for row in range(5) if row != removed]
        solved, *_ = np.linalg.lstsq(x[:, kept], y, rcond=None)
        errors.append(np.sum((x[:, kept] @ solved - y) ** 2))
    assert np.flatnonzero(found.weights == 0).tolist() == [int(np.argmin(errors))]


def test_reconstruction_beats_magnitudes() -> None:
    x, weights = correlated(400, 32), np.random.default_rng(1).standard_normal((32, 8))
    *_, found = removed_step_by_step(grams_of(x), weights[None], (0.25, 0.5))
    largest = np.where(np.abs(weights) > np.median(np.abs(weights)), weights, 0)
    y = x @ weights
    by_magnitude = np.sum((x @ largest - y) ** 2) / np.sum(y**2)
    assert found.sparsity == 0.5 and found.error < by_magnitude / 2
    change = np.sum((x @ found.weights[0] - y) ** 2) / np.sum(y**2)
    assert change == pytest.approx(found.error, rel=1e-6)


def test_a_constant_makes_up_for_the_mean() -> None:
    x = np.concatenate([correlated(300, 6) + 5, np.ones((300, 1))], axis=1)
    weights = np.random.default_rng(1).standard_normal((6, 3))
    (found,) = removed_step_by_step(grams_of(x), weights[None], (0.5,))
    assert found.constants is not None
    mean = np.mean(x[:, :6] @ (found.weights[0] - weights) + found.constants[0], axis=0)
    assert np.max(np.abs(mean)) < 0.05 * np.mean(np.abs(np.mean(x[:, :6] @ weights, axis=0)))


def test_two_of_each_four() -> None:
    x, weights = correlated(400, 16), np.random.default_rng(1).standard_normal((16, 4))
    *_, found = removed_step_by_step(grams_of(x), weights[None], (0.25, 0.5), 4)
    assert np.all(np.sum(found.weights[0].reshape(4, 4, 4) == 0, axis=1) == 2)


@pytest.mark.parametrize("block", [(1, 4), (2, 2)])
def test_whole_blocks(block: tuple[int, int]) -> None:
    x, weights = correlated(400, 16), np.random.default_rng(1).standard_normal((16, 8))
    *_, found = removed_step_by_step(grams_of(x), weights[None], (0.25, 0.5), 1, block)
    height, width = block
    zeros = (found.weights[0] == 0).reshape(16 // height, height, 8 // width, width).mean(axis=(1, 3))
    assert set(zeros.ravel().tolist()) == {0.0, 1.0} and found.sparsity == 0.5
    blocks = np.abs(weights).reshape(16 // height, height, 8 // width, width).sum(axis=(1, 3))
    large = (blocks > np.median(blocks)).repeat(height, axis=0).repeat(width, axis=1)
    y = x @ weights
    assert found.error < np.sum((x @ (weights * large) - y) ** 2) / np.sum(y**2) / 1.5


@pytest.mark.slow
def test_layers_without_whole_blocks_are_named(context: Context, start: FloatModel) -> None:
    config = OneshotPrune(pattern="block", block_size=(1, 8), sparsity=0.4, samples=50, keep_ends=False)
    pruned = config.apply(start, context)
    handle = pruned.network.handle
    for name in pruned.fact(Sparsity).by_layer:
        kernel = np.asarray(handle.get_layer(name).kernel)
        assert set(np.mean(kernel.reshape(-1, 8) == 0, axis=1).tolist()) <= {0.0, 1.0}
    (note,) = [note for note in pruned.notes if "multiples of 1 and 8" in note.text]
    assert [*start.network.handle.layers][-1].name in note.text or "digit" in note.text


def test_inputs_that_are_always_zero() -> None:
    found = removed_step_by_step(grams_of(np.zeros((10, 4))), np.ones((1, 4, 2)), (0.5,))
    assert found[0].error == 0 and np.all(np.isfinite(found[0].weights))


@pytest.mark.parametrize("kind", ["dense", "conv2d", "conv1d", "groups", "causal"])
def test_matrices_compute_what_the_layer_does(kind: str) -> None:
    keras = tf_keras()
    layers, rng = keras.layers, np.random.default_rng(0)
    layer, shape = {
        "dense": (layers.Dense(3), (5, 4)),
        "conv2d": (layers.Conv2D(4, (3, 2), strides=2, padding="same"), (7, 6, 3)),
        "conv1d": (layers.Conv1D(4, 3, dilation_rate=2), (9, 3)),
        "groups": (layers.Conv2D(4, 3, groups=2), (5, 5, 6)),
        "causal": (layers.Conv1D(4, 3, padding="causal"), (9, 3)),
    }[kind]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    x = rng.standard_normal((4, *shape)).astype(np.float32)
    groups, rows = split_rows(layer, 4)
    assert rows <= 4
    grams = gather_grams(model, model, [layer.name], (x,), {layer.name: 4}, 0)[layer.name]
    assert grams.given.shape == (groups, rows + 1, rows + 1)
    kernel = layer.get_weights()[0]
    assert np.array_equal(as_kernel(layer, as_matrices(layer, kernel, groups)), kernel)
    whole = gather_grams(model, model, [layer.name], (x,), {layer.name: 1000}, 0)[layer.name]
    matrices = as_matrices(layer, kernel, len(whole.given))
    squares = np.sum(matrices * (whole.given[:, :-1, :-1] @ matrices), axis=1).reshape(-1)
    outputs = model.predict(x, verbose=0).reshape(-1, 3 if kind == "dense" else 4)
    assert squares == pytest.approx(np.sum(outputs**2, axis=0), rel=1e-4)


def test_zeros_go_where_they_cost_least() -> None:
    levels = (0.25, 0.5, 0.75, 0.9)
    strong = LayerCurve(1000, levels, (0.1, 0.4, 1.6, 5.0))
    weak = LayerCurve(1000, levels, (0.0001, 0.0004, 0.0016, 0.005))
    first, second = allocate((strong, weak), 0.5)
    assert first < 0.35 and second > 0.65 and (first + second) / 2 == pytest.approx(0.5, abs=1e-3)
    assert allocate((strong, strong), 0.5) == pytest.approx([0.5, 0.5], abs=1e-3)


def magnitude_pruned(start: FloatModel, sparsity: float) -> Any:
    handle = copied(start.network.handle)
    for name in ("conv_2", "conv_3", "hidden"):
        layer = handle.get_layer(name)
        kernel, *rest = layer.get_weights()
        large = np.abs(kernel) > np.quantile(np.abs(kernel), sparsity)
        layer.set_weights([kernel * large, *rest])
    return keras_network(handle, "magnitude", True)


def test_outputs_stay_nearer_than_by_magnitude(context: Context, start: FloatModel) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    config = OneshotPrune(sparsity=0.6, samples=200)
    pruned = config.apply(start, context)
    assert set(pruned.fact(Sparsity).by_layer) == {"conv_2", "conv_3", "hidden"}
    kernels = [
        pruned.network.handle.get_layer(name).kernel.numpy() for name in pruned.fact(Sparsity).by_layer
    ]
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    assert zeros / sum(kernel.size for kernel in kernels) == pytest.approx(0.6, abs=0.01)
    assert config.outcome(pruned) == "60% sparsity without training"
    inputs = context.reference.splits.evaluate.inputs
    wanted, ours, others = (
        n.predict(inputs)[0] for n in (start.network, pruned.network, magnitude_pruned(start, 0.6))
    )
    assert np.mean((ours - wanted) ** 2) < np.mean((others - wanted) ** 2) / 2
    after = start.network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_what_cannot_be_pruned_is_said(context: Context, start: FloatModel) -> None:
    with pytest.raises(ModelError, match="no layer to prune"):
        OneshotPrune(include=("nothing",)).apply(start, context)
    fixed = FloatModel(replace(context.reference.network, editable=False, why_not_editable="it is a graph"))
    with pytest.raises(ModelError, match="it is a graph"):
        OneshotPrune().apply(fixed, context)
