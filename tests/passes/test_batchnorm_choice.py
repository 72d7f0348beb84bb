from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.test_batchnorm import autoencoder_context
from tflite_compress.models.copying import copied
from tflite_compress.passes import Context
from tflite_compress.passes.algorithms.batchnorm_choice import choose_batchnorm, freeze_batchnorm, prepared
from tflite_compress.passes.algorithms.finetune import Schedule
from tflite_compress.passes.algorithms.harm import hold_out
from tflite_compress.passes.training import BatchNormMode


@pytest.fixture(scope="module")
def context(keras2: ModuleType) -> Context:
    return autoencoder_context(keras2)


def test_the_mode_that_keeps_the_outputs_is_chosen(context: Context) -> None:
    handle, held_out = context.reference.network.handle, hold_out(context)
    tried: list[tuple[str, int]] = []

    def train(mode: BatchNormMode, short: Schedule) -> Any:
        """Change the weights as much as the mode is to be bad."""
        tried.append((mode, short.total_steps(180)))
        model = copied(handle)
        noise = {"trained": 0.3, "frozen": 0.01, "folded": 0.1}[mode]
        model.set_weights([w * (1 + noise) for w in model.get_weights()])
        return model

    schedule = Schedule(0, 1000, 32, 1e-3, 1.0)
    mode, [note] = choose_batchnorm("auto", handle, schedule, held_out, train)
    assert mode == "frozen" and tried == [("trained", 100), ("frozen", 100), ("folded", 100)]
    assert note.text.startswith("BatchNorm is frozen in the training: after 100 steps, R2")
    assert "on 20 training samples" in note.text and "trained" in note.text and "folded" in note.text


def test_short_trainings_and_given_modes_need_no_trial(context: Context) -> None:
    def never(mode: BatchNormMode, short: Schedule) -> Any:
        raise AssertionError

    handle, held_out = context.reference.network.handle, hold_out(context)
    short, long = (Schedule(0, steps, 32, 1e-3, 1.0) for steps in (300, 1000))
    assert choose_batchnorm("auto", handle, short, held_out, never) == ("trained", ())
    assert choose_batchnorm("folded", handle, long, held_out, never) == ("folded", ())


def test_modes_change_what_learns_but_not_the_outputs(context: Context) -> None:
    network, x = context.reference.network, context.reference.splits.train.inputs[0][:8]
    outputs = network.predict((x,))[0]
    frozen = copied(network.handle)
    freeze_batchnorm(frozen, "frozen")
    assert len(frozen.trainable_weights) == len(network.handle.trainable_weights) - 6
    assert np.allclose(np.asarray(frozen(x, training=True)), outputs, atol=1e-5)
    folded = prepared(network.handle, "folded")
    assert len(folded.weights) == 8 and np.allclose(np.asarray(folded(x)), outputs, atol=1e-4)


def test_held_out_samples_are_not_trained_on(context: Context) -> None:
    held_out, reference = hold_out(context), context.reference
    train = held_out.context.reference.splits.train
    assert (held_out.count, len(train)) == (20, 180)
    assert np.allclose(
        held_out.context.reference.training_outputs[0], reference.network.predict(train.inputs)[0]
    )
    handle = reference.network.handle
    changed = copied(handle)
    changed.set_weights([w * 1.1 for w in changed.get_weights()])
    assert held_out.change(handle) < 1e-10 < held_out.change(changed)
    helps, note = held_out.better("training", handle, changed)
    assert not helps and note.text.startswith(
        "training was undone, it did not help on 20 training samples: R2"
    )
