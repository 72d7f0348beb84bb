from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import KerasModel
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context
from tflite_compress.passes.algorithms import harm
from tflite_compress.passes.algorithms.batchnorm import reestimate_batchnorm
from tflite_compress.passes.algorithms.harm import hold_out, reestimate_if_better
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent


def test_statistics_become_those_of_the_data(keras2: ModuleType) -> None:
    layers = keras2.layers
    model = keras2.Sequential([keras2.Input((3,)), layers.Dropout(0.5), layers.BatchNormalization()])
    x = np.random.default_rng(0).normal([1, -2, 5], [1, 2, 0.5], (2048, 3)).astype(np.float32)
    assert reestimate_batchnorm(model, (x,), seed=0)
    mean, variance = model.layers[1].moving_mean.numpy(), model.layers[1].moving_variance.numpy()
    assert np.allclose(mean, x.mean(axis=0), atol=0.02)
    assert np.allclose(variance, x.var(axis=0), rtol=0.05)
    assert model.layers[0].rate == 0.5 and model.layers[1].momentum == 0.99


def test_models_without_batchnorm_are_left_alone(keras2: ModuleType) -> None:
    model = keras2.Sequential([keras2.Input((3,)), keras2.layers.Dense(2)])
    assert not reestimate_batchnorm(model, (np.ones((4, 3), np.float32),), seed=0)


def autoencoder_context(keras2: ModuleType) -> Context:
    """A dense autoencoder whose BatchNorm statistics come from other data than its training samples."""
    keras2.utils.set_random_seed(0)
    stack = [keras2.Input((12,))]
    for units in (16, 3, 16):
        stack += [keras2.layers.Dense(units), keras2.layers.BatchNormalization(), keras2.layers.ReLU()]
    model = keras2.Sequential([*stack, keras2.layers.Dense(12)])
    rng = np.random.default_rng(0)
    reestimate_batchnorm(model, (rng.normal(0, 1, (256, 12)).astype(np.float32),), seed=0)
    source = load_model(model)
    x = rng.normal(0.5, 2, (200, 12)).astype(np.float32)
    splits = gather(DataSpec(train=x, calibrate=x, evaluate=x), source.network, 0)
    return Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())


def test_statistics_of_an_unchanged_network_stay(keras2: ModuleType) -> None:
    context = autoencoder_context(keras2)
    model = copied(context.reference.network.handle)
    before = model.get_weights()
    note = present(reestimate_if_better(model, context))
    assert note.code == "batchnorm-kept"
    assert "40 samples" in note.text and "1.0000 before" in note.text
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("is_held_out", [False, True])
def test_statistics_of_a_changed_network_become_those_of_the_data(
    keras2: ModuleType, is_held_out: bool
) -> None:
    context = autoencoder_context(keras2)
    held_out = hold_out(context) if is_held_out else None
    model, expected = copied(context.reference.network.handle), copied(context.reference.network.handle)
    for layers in (model.layers, expected.layers):
        first = next(layer for layer in layers if layer.weights)
        first.set_weights([3 * first.get_weights()[0], first.get_weights()[1] + 5])
    note = present(reestimate_if_better(model, context, held_out))
    assert note.code == "batchnorm-reestimated"
    assert ("20 training samples" if held_out else "40 samples left out") in note.text
    learned = held_out.context if held_out else context
    reestimate_batchnorm(expected, learned.reference.splits.train.inputs, 0)
    assert all(np.array_equal(a, b) for a, b in zip(expected.get_weights(), model.get_weights(), strict=True))


def test_averages_over_many_samples_are_those_that_were_judged(
    keras2: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = autoencoder_context(keras2)
    model, expected = copied(context.reference.network.handle), copied(context.reference.network.handle)
    for layers in (model.layers, expected.layers):
        first = next(layer for layer in layers if layer.weights)
        first.set_weights([3 * first.get_weights()[0], first.get_weights()[1] + 5])
    runs: list[np.ndarray | None] = []

    def counted(
        model: KerasModel, inputs: tuple[np.ndarray, ...], seed: int, rows: np.ndarray | None = None
    ) -> bool:
        runs.append(rows)
        return reestimate_batchnorm(model, inputs, seed, rows)

    monkeypatch.setattr(harm, "MAX_TRIED", 100)
    monkeypatch.setattr(harm, "reestimate_batchnorm", counted)
    assert present(reestimate_if_better(model, context)).code == "batchnorm-reestimated"
    (tried,) = runs  # the network does not run on the samples again
    assert len(present(tried)) == 100
    reestimate_batchnorm(expected, context.reference.splits.train.inputs, 0, tried)
    assert all(np.array_equal(a, b) for a, b in zip(expected.get_weights(), model.get_weights(), strict=True))
