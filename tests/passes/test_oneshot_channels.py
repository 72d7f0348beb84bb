"""Channels removed without training, and the closed forms behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tflite_compress.models.copying import copied
from tflite_compress.models.network import keras_network
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms.channel_readers import readers_of
from tflite_compress.passes.algorithms.channel_reconstruction import reconstruct
from tflite_compress.passes.algorithms.channel_removal import Reader, removal_costs, solved_for
from tflite_compress.passes.algorithms.layer_grams import Grams
from tflite_compress.passes.oneshot_channels import OneshotChannels
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import ChannelWidths
from tflite_compress.support.backend import tf_keras
from tflite_compress.support.errors import ModelError


def correlated(count: int, rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal((count, rows)) @ rng.standard_normal((rows, rows)))


def reader_of(x: np.ndarray, weights: np.ndarray, groups: list[int], factor: float = 1.0) -> Reader:
    gram = (x.T @ x)[None]
    return Reader(Grams(gram, gram), weights[None], np.array([groups]), factor)


def error_without(x: np.ndarray, weights: np.ndarray, removed: list[int]) -> float:
    kept = [row for row in range(x.shape[1]) if row not in removed]
    solved, *_ = np.linalg.lstsq(x[:, kept], x @ weights, rcond=None)
    return float(np.sum((x[:, kept] @ solved - x @ weights) ** 2))


def test_a_channel_of_several_rows_costs_what_least_squares_says() -> None:
    x, weights = correlated(400, 6), np.random.default_rng(1).standard_normal((6, 3))
    x /= np.sqrt(np.mean(x**2, axis=0))  # damping hardly matters
    groups = [0, 1, 2, 0, 1, 2]
    wanted = [error_without(x, weights, [g, g + 3]) for g in range(3)]
    costs = removal_costs([reader_of(x, weights, groups)], np.arange(3), 1)
    cheapest = int(np.argmin(wanted))
    assert int(np.argmin(costs)) == cheapest
    found = solved_for(reader_of(x, weights, groups), np.array([cheapest]))
    assert np.flatnonzero(~found.weights[0].any(axis=1)).tolist() == [cheapest, cheapest + 3]
    assert found.error == pytest.approx(wanted[cheapest], rel=0.05)


def test_what_two_layers_read_costs_both() -> None:
    x, rng = correlated(400, 4), np.random.default_rng(1)
    first, second = rng.standard_normal((4, 2)), rng.standard_normal((4, 5))
    groups = [0, 1, 2, 3]
    alone = [
        removal_costs([reader_of(x, w, groups, f)], np.arange(4), 1) for w, f in ((first, 1), (second, 9))
    ]
    both = removal_costs([reader_of(x, first, groups), reader_of(x, second, groups, 9)], np.arange(4), 1)
    assert min(both) >= min(alone[0]) + min(alone[1]) - 1e-9


def test_groups_are_ranked_after_those_before_them() -> None:
    x = correlated(400, 3)
    x = np.concatenate(
        [x, x[:, :1] + 1e-3 * correlated(400, 1, 2)], axis=1
    )  # the last says what the first does
    weights = np.eye(4)[:, [0, 3]] + 0.5 * np.eye(4)[:, [1, 2]]
    costs = removal_costs([reader_of(x, weights, [0, 1, 2, 3])], np.arange(4), 3)
    first, second = sorted([costs[0], costs[3]])
    assert first == min(costs) and second == max(costs)


def residual(bias: bool) -> Any:
    """A network with a residual Add, a depthwise convolution and a flattened dense layer."""
    keras = tf_keras()
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(12, 3, padding="same", use_bias=bias, name="stem")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    y = layers.Conv2D(12, 3, padding="same", use_bias=bias, name="branch")(x)
    y = layers.BatchNormalization(name="branch_norm")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(12, 1, activation="relu", name="pointwise")(x)
    x = layers.Flatten()(layers.MaxPooling2D(3)(x))
    return keras.Model(inputs, layers.Dense(3, name="last")(x))


@pytest.mark.parametrize("bias", [True, False])
def test_later_layers_make_up_for_removed_channels(bias: bool) -> None:
    from tflite_compress.channels.dependencies import trace
    from tflite_compress.channels.rebuild import without_channels

    original = copied(residual(bias))
    changed = copied(original)
    dependencies = trace(changed)
    readers = readers_of(changed, dependencies)
    assert readers.reading == ("branch", "pointwise", "last") and not readers.fixed
    assert dict(readers.shifted) == ({} if bias else {"stem": "norm", "branch": "branch_norm"})
    removed = np.array([int(np.unique(readers.groups["branch"])[0]), int(readers.groups["last"].max())])
    keep = np.ones(dependencies.count, bool)
    keep[removed] = False
    x = np.random.default_rng(0).standard_normal((120, 6, 6, 2)).astype(np.float32)
    cut = without_channels(changed, dependencies, keep)
    reconstruct(original, changed, readers, removed, (x[:80],), 0, lambda done: None)
    smaller = without_channels(changed, dependencies, keep)
    assert smaller.get_layer("stem").filters == smaller.get_layer("pointwise").filters == 11
    wanted, masked, ours, plain = (
        keras_network(m, "made", True).predict((x[80:],))[0] for m in (original, changed, smaller, cut)
    )
    assert np.max(np.abs(masked - ours)) < 1e-4  # what is cut off had weights of zero
    assert np.mean((ours - wanted) ** 2) < np.mean((plain - wanted) ** 2) / 3


@pytest.mark.slow
def test_outputs_stay_nearer_than_by_norm(context: Context, start: FloatModel) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    config = OneshotChannels(target_macs=0.8, samples=100, steps=0, multiple=1)
    smaller = config.apply(start, context)
    untrained = Training(epochs=0, min_steps=0)
    by_norm = PruneChannels(
        target_macs=0.8,
        criterion="l2",
        reconstruct=False,
        rounds=1,
        recovery_steps=0,
        multiple=1,
        training=untrained,
    ).apply(start, context)
    assert smaller.fact(ChannelWidths).by_layer
    assert config.outcome(smaller) == "80% of the MACs without training"
    inputs = context.reference.splits.evaluate.inputs
    wanted, ours, others = (m.network.predict(inputs)[0] for m in (start, smaller, by_norm))
    assert np.mean((ours - wanted) ** 2) < np.mean((others - wanted) ** 2) / 2
    after = start.network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_layers_that_cannot_be_solved_for_keep_their_channels(context: Context) -> None:
    keras = tf_keras()
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, activation="relu", name="first")(inputs)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    model = keras.Model(inputs, layers.Dense(10, name="last")(layers.GlobalAveragePooling2D()(x)))
    network = keras_network(model, "normed", True)
    found = OneshotChannels(target_macs=0.3, samples=50, steps=0, multiple=1).apply(
        FloatModel(network), context
    )
    assert set(found.fact(ChannelWidths).by_layer) == {"second"}
    assert any("cannot be solved for: norm" in note.text for note in found.notes)


def test_networks_that_cannot_be_edited_are_refused(context: Context) -> None:
    fixed = FloatModel(replace(context.reference.network, editable=False, why_not_editable="it is a graph"))
    with pytest.raises(ModelError, match="it is a graph"):
        OneshotChannels().apply(fixed, context)
