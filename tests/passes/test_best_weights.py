"""Which weights of a training are kept, on a network that trains in milliseconds and with made-up figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.passes.test_training_loop import Cancelling, are_equal, tiny
from tflite_compress.models.copying import copied
from tflite_compress.passes import Context
from tflite_compress.passes.algorithms import finetune as loop
from tflite_compress.passes.algorithms.best_weights import Judge
from tflite_compress.passes.algorithms.finetune import Schedule, finetune
from tflite_compress.passes.algorithms.harm import HeldOut, hold_out
from tflite_compress.support.backend import seed_everything
from tflite_compress.support.notes import Note
from tflite_compress.support.time_budget import TimeBudget

__all__ = ["tiny"]  # a fixture

SCHEDULE = Schedule(0, 400, 30, 0.01, 1.0)  # a look at every 20th step, 0.2 epochs each


class Watch:
    """Gives figures by the number of the look, and remembers the weights of each."""

    def __init__(self, figures: Callable[[int], float]) -> None:
        self.figures, self.weights = figures, list[list[np.ndarray]]()

    def __call__(self, model: Any) -> Callable[[], float]:
        def change() -> float:
            self.weights.append(model.get_weights())
            return self.figures(len(self.weights) - 1)

        return change


def start(context: Context) -> Any:
    """A copy of the network with somewhat other weights."""
    model, rng = copied(context.reference.network.handle), np.random.default_rng(0)
    model.set_weights([w + rng.normal(0, 0.1, w.shape) * (w.ndim > 1) for w in model.get_weights()])
    return model


def trained(context: Context, watch: Any, first: int = 0) -> tuple[list[np.ndarray], tuple[Note, ...]]:
    seed_everything(0)
    model = start(context)
    judge = Judge(HeldOut(context, watch, 15), first)
    notes = finetune(model, context, SCHEDULE, "training", "k", judge=judge)
    return model.get_weights(), notes


def test_the_best_weights_are_kept(tiny: Context) -> None:
    watch = Watch(lambda look: abs(look - 17) / 100 + 0.1)
    weights, [note] = trained(tiny, watch)
    assert len(watch.weights) == 21 and are_equal(weights, watch.weights[17])
    assert note.text == (
        "kept the weights of epoch 68.0 of 80.0, the best on 15 training samples: R2 with the original's "
        "outputs 0.9000"
    )


def test_a_training_without_progress_stops_early(tiny: Context) -> None:
    watch = Watch(lambda look: abs(look - 2) / 100 + 0.1)
    weights, [note] = trained(tiny, watch)
    assert len(watch.weights) == 13 and are_equal(weights, watch.weights[2])
    assert note.text.endswith("0.9000; stopped after epoch 48.0, as they no longer came closer")
    assert not tiny.budget.has_cut


def test_a_training_that_does_no_good_is_undone(tiny: Context) -> None:
    watch = Watch(lambda look: 0.1 + look)
    weights, [note] = trained(tiny, watch)
    assert len(watch.weights) == 21 and are_equal(weights, start(tiny).get_weights())
    assert note.text == "no weights came closer to the original's outputs than those before the training"


def test_a_training_that_moves_away_from_its_start_may_come_back(tiny: Context) -> None:
    watch = Watch(lambda look: [0.1, 0.3, 0.05][(look > 0) + (look > 17)])
    weights, [note] = trained(tiny, watch)
    assert are_equal(weights, watch.weights[18]) and "kept the weights of epoch 72.0 of 80.0" in note.text


def test_weights_with_too_few_zeros_are_not_kept(tiny: Context) -> None:
    watch = Watch(lambda look: 0.1 + look)
    weights, [note] = trained(tiny, watch, first=150)  # then a look at every 13th step
    assert are_equal(weights, watch.weights[0]) and "kept the weights of epoch 30.0 of 80.0" in note.text
    assert "stopped after epoch 56.0" in note.text


def test_a_cut_training_keeps_its_best_weights(tiny: Context) -> None:
    ticks = iter(range(10**6))
    budget = TimeBudget(40, lambda: next(ticks))  # each question for the time takes one second
    watch = Watch(lambda look: 0.1 - look / 1000)
    weights, _ = trained(replace(tiny, budget=budget), watch)
    assert are_equal(weights, watch.weights[-1]) and "training stopped after" in budget.notes[0].text


@pytest.mark.slow
def test_an_interrupted_training_keeps_the_same_weights(
    tiny: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.reference.network.handle.get_layer("noise"), "rate", 0.0)
    watch = hold_out(tiny).watch
    whole, said = trained(tiny, watch)
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(replace(tiny, progress=Cancelling(133), checkpoints=tmp_path / "run"), watch)
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.2)
    resumed = Cancelling(1000)
    found, resaid = trained(replace(tiny, progress=resumed, checkpoints=tmp_path / "run"), watch)
    assert "continuing after step 133" in resumed.said
    assert are_equal(whole, found) and said == resaid
    assert "kept the weights of epoch" in said[0].text
