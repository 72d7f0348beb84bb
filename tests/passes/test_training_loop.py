"""The training loop on a network that trains in milliseconds."""

from __future__ import annotations

import contextlib
import gc
import weakref
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.copying import copied
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context
from tflite_compress.passes.algorithms import finetune as loop
from tflite_compress.passes.algorithms.batch_order import BatchOrder
from tflite_compress.passes.algorithms.finetune import Schedule, finetune
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels
from tflite_compress.passes.training import Training
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.backend import seed_everything, tensorflow
from tflite_compress.support.progress import Silent
from tflite_compress.support.time_budget import TimeBudget

SCHEDULE = Schedule(5, 0, 32, 0.01, 1.0)  # 24 steps


@pytest.fixture(scope="module")
def tiny(keras: ModuleType) -> Context:
    """A network with dropout and BatchNorm, and 150 samples to train on."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = [layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.3, name="noise"), layers.Dense(2)]
    source = load_model(keras.Sequential([keras.Input((6,)), *stack]))
    x = np.random.default_rng(0).standard_normal((150, 6)).astype(np.float32)
    splits = gather(DataSpec(train=x, calibrate=x, evaluate=x), source.network, 0)
    return Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())


def trained(context: Context, schedule: Schedule = SCHEDULE) -> list[np.ndarray]:
    seed_everything(0)
    model = copied(context.reference.network.handle)
    finetune(model, context, schedule, "training", "k")
    return list(model.get_weights())


def are_equal(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def test_every_epoch_has_each_sample_once() -> None:
    order = BatchOrder(10, 4, 3)
    rows = order.rows(0, 5).reshape(-1)
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
    assert not np.array_equal(rows[:10], rows[10:])
    assert np.array_equal(order.rows(2, 2), order.rows(0, 5)[2:4])
    assert not np.array_equal(order.rows(0, 5), BatchOrder(10, 4, 4).rows(0, 5))


def test_the_result_does_not_depend_on_how_many_steps_run_at_once(
    tiny: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = trained(tiny)
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.0)
    assert are_equal(at_once, trained(tiny))


class Cancelling(Silent):
    """Progress whose callback cancels the training after some steps."""

    def __init__(self, after: int) -> None:
        self.after, self.done, self.said = after, 0, ""

    def step(self, title: str, total: int | None = None) -> Any:
        def advance(units: int) -> None:
            self.done += units
            if self.done >= self.after:
                raise KeyboardInterrupt

        return contextlib.nullcontext(advance)

    def say(self, text: str) -> None:
        self.said += text


def test_a_cancelled_training_continues_at_the_step(
    tiny: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.reference.network.handle.get_layer("noise"), "rate", 0.0)
    whole = trained(tiny)
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(replace(tiny, progress=Cancelling(11), checkpoints=tmp_path / "run"))
    resumed = Cancelling(1000)
    found = trained(replace(tiny, progress=resumed, checkpoints=tmp_path / "run"))
    assert "continuing after step 11 of an interrupted run" in resumed.said and resumed.done == 24
    assert are_equal(whole, found)
    assert not list(tmp_path.iterdir())


def test_a_used_budget_starts_no_training(tiny: Context) -> None:
    budget = TimeBudget(0)
    before = tiny.reference.network.handle.get_weights()
    assert are_equal(before, trained(replace(tiny, budget=budget)))
    assert "training stopped after 0 of 24 steps" in budget.notes[0].text


@pytest.mark.parametrize(
    ("epochs", "min_steps", "batch_size", "steps"),
    [(0, 5, 15, 5), (1, 25, 15, 25), (2, 1, 15, 20), (3, 0, 40, 12), (2, 0, 256, 2), (0, 0, 15, 0)],
)
def test_a_training_has_the_steps_it_was_given(
    epochs: int, min_steps: int, batch_size: int, steps: int, tiny: Context
) -> None:
    counted = Cancelling(1000)
    trained(replace(tiny, progress=counted), Schedule(epochs, min_steps, batch_size, 0.001, 0.5))
    assert counted.done == steps


def test_epochs_without_min_steps_set_no_minimum() -> None:
    assert Prune().training.min_steps == 600
    assert Prune(training=Training(epochs=2)).training.min_steps == 0
    assert Prune(training=Training(epochs=2, min_steps=50)).training.min_steps == 50
    assert PruneChannels(training=Training(epochs=0)).training.min_steps == 600


def test_the_graph_of_a_training_is_freed(tiny: Context, keras2: ModuleType) -> None:
    graphs: list[weakref.ref[Any]] = []

    class Traced(keras2.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            graphs.append(weakref.ref(tensorflow().compat.v1.get_default_graph()))
            return x

    plain = copied(tiny.reference.network.handle)
    model = keras2.Model(plain.inputs, Traced()(plain.outputs[0]))
    graphs.clear()
    finetune(model, tiny, replace(SCHEDULE, epochs=1), "training", "k")
    assert graphs
    gc.collect()
    assert [graph() for graph in graphs] == [None] * len(graphs)
